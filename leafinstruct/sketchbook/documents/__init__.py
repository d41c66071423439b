"""What is told: lessons, stories, edits, maps, their words, their pages and their defects."""
