"""Train an adapter of a vision-language generalist on the shards of a dataset."""
