"""Limits on requests: how many at once, how fast, and which process asks."""
