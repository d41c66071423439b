"""The same page as genuine source files of several formats."""
