"""Parse a model's text: the answer object, or why there is none."""
