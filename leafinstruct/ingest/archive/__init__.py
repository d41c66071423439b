"""WARC files: where records begin and end, what each is, and where images of a crawl are."""
