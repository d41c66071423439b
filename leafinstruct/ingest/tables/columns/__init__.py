"""A row of any table -> a document, by the columns that a recipe names."""
