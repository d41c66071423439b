"""Engines that run the parts of a stage. Stages state what a part needs and do not know where it runs."""
