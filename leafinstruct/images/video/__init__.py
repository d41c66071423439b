"""Frames of videos: open a file safely, choose the frames of a step, find where a video ends."""
