"""Documents: lessons, stories, edits, assemblies and maps, their wording, pages and defects."""
