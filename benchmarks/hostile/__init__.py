"""Inputs of benchmarks/hostile_widths.py."""

from hostile import archives, hosts, images, lines, pages, tables, videos
from hostile.base import CASES

__all__ = ["CASES", "archives", "hosts", "images", "lines", "pages", "tables", "videos"]
