"""From shards to the Hub, and pictures back into shards that went there without."""
