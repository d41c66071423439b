"""Preference rows: pairs of a chosen and a rejected answer, planned from keys and written as shards."""
