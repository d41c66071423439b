"""A recipe: YAML -> frozen settings, what is wrong with one, and how a new one is drafted."""
