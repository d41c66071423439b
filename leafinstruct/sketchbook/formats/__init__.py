"""Write a page as real source files of several formats."""
