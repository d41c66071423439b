"""Objects: files on a disk, in a bucket or on the Hub, behind one interface; read by ranges, written
whole."""
