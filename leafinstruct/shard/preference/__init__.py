"""Preference rows: pairs of the answer of an example and a worse one, planned from keys and written as
shards."""
