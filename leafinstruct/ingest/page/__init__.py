"""HTML -> segments: a page's bytes become blocks of text and images, then a document."""
