"""Write examples to Parquet shards and a dataset card."""
