"""Documents, examples, and the tables that store them."""
