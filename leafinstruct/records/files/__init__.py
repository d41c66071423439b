"""Our own Parquet files: sealed when written, verified when read, searched by a column."""
