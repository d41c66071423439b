"""`leaf generate`: an answer of a backbone with an adapter, written as a folder to look at."""
