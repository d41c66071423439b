"""One module per kind of source, each a Reader (base)."""
