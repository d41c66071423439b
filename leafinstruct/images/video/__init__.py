"""Frames of videos: a file opened safely, the frames of a step, where a video ends."""
