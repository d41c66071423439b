"""Interpret a server's errors: repeat the request, change it, or end the run."""
