"""Preference rows: what they are (row.py), and how they are stored and read (stored.py)."""
