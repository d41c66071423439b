"""Source files to documents: one reader a format."""
