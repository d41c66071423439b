"""`leaf remove --purge`: erase removed records from the runs of a working directory and the shared caches."""
