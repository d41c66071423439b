"""Scores that separate prose from lists of words, repetition, noise and talk about a page."""
