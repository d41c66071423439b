"""Lessons that a model tells and draws, judged exactly, since Sketchbook knows what is true."""
