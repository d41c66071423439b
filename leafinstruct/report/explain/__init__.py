"""The story of one record, from its source to its rows."""
