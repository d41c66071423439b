"""The index of texts and images: near-duplicates, groups of a split, contamination."""
