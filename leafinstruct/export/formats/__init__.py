"""One module a format of another tool."""
