"""What readers do to the fields of a record: texts, titles, addresses, references, licenses, lists."""
