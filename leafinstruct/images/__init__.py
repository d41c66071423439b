"""From a reference to an image: find the bytes, look at the header, decode."""
