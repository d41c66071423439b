"""One module per family of scores, listed in catalog.py."""
