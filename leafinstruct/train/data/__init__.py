"""Rows of a dataset -> what a model reads: encoded, kept, packed and loaded."""
