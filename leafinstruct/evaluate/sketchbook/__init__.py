"""Evaluation of generated lessons, which is exact because Sketchbook knows the truth."""
