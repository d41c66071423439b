"""Scenes, shapes and their rendering as images of any size."""
