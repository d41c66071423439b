"""Scores of one image's pixels by classical methods: noise, text, codes and bars; no model."""
