"""From a reference to a picture: find the bytes, look at the header, decode."""
