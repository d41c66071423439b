"""One module a family of scores; catalog.py beside this folder lists them."""
