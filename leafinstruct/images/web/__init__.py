"""Fetch images from the web: politely (robots, hosts), safely (ip), once (store)."""
