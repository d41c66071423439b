"""One module a kind of source: LIBRARIES, root_of, plan and read."""
