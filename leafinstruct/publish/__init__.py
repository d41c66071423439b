"""Publish shards and adapters on the Hub, fetch the images of published references, and remove records."""
