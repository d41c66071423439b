"""From shards to the Hub, and images back into shards that went there without."""
