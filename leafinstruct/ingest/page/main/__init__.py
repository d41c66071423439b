"""Find the part of a page that is the document."""
