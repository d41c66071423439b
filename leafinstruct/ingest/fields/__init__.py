"""Fields of a record, common to all readers: text, titles, URLs, references, lists."""
