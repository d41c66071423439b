"""Scores of documents and pictures, and the rules that decide on them."""
