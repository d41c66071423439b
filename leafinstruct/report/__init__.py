"""Reports on a run, read from its artifacts: status, the story of a record, the inspection page."""
