"""One short drawing function per kind of thing, in unit coordinates of its own cells, grouped by theme."""
