"""Files that describe a dataset or an adapter: the card, croissant.json, build.json and a few examples."""
