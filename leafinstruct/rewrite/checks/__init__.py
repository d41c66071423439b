"""Checks of a finished example against its document: run.py; bounds: config.py."""
