"""leafinstruct: interleaved instruction-tuning datasets, and training on them.

Importing the package loads nothing: every room is imported by the door that needs it, so that `leaf --help`
stays instant.
"""

__version__ = "0.1.0"
