"""How many requests, how fast, and which process asks."""
