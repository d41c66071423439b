"""File formats of images: which one a file has, and what is mended before it is decoded."""
