"""Training a vision-language generalist with an adapter on the shards of a dataset."""
