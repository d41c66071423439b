"""Export shards to the formats of other tools; formats/ has one module per format."""
