"""How each kind of thing is drawn: one short function a kind, in unit coordinates of its own cells, grouped
by what it is."""
