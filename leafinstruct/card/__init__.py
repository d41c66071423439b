"""What explains a dataset or an adapter: its card, Croissant, build.json and a few examples."""
