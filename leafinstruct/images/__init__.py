"""From a reference to an image: find the bytes, read the header, decode."""
