"""Our own Parquet files: sealed, compared when they are read, looked into by a column."""
