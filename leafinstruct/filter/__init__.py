"""Scores of documents and images, and the rules that decide on them."""
