"""The strokes of each kind of thing, in unit coordinates of its own cells, grouped by theme."""
