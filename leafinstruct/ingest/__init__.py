"""Read source files into documents: one reader per format."""
