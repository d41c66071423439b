"""`leaf explain`: the story of one record, from its source to its rows in the shards."""
