"""A language model examines finished examples; one below the bound is rewritten with the critique."""
