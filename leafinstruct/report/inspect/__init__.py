"""The dataset as one page."""
