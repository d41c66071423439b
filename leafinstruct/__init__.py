"""leafinstruct: interleaved instruction-tuning datasets, and training on them.

Importing the package loads nothing: each function imports the packages that it needs, so `leaf --help` stays
instant.
"""

__version__ = "0.1.0"
