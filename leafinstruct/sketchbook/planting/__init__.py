"""Defects that are planted into pages, each with what it does and who could see it."""
