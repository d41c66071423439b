"""A model's text -> the answer object, or the reason why there is none."""
