"""One module per kind of source. Each has LIBRARIES, root_of, plan and read."""
