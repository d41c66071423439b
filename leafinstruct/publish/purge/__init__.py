"""`leaf remove --purge`: erase what was taken out from the runs of a working directory and from the caches
that they share."""
