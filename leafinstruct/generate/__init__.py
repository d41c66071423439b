"""`leaf generate`: an answer of a backbone with an adapter, written to a folder."""
