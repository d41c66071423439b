"""Files of rows: JSON lines, Parquet, tar, streams of the Hub."""
