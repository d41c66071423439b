"""What a build did, read back from its artifacts."""
