"""Who runs the parts. A stage says what a part needs; nothing outside this room knows where it runs."""
