"""A dataset's shards in the formats of other tools: one file a format."""
