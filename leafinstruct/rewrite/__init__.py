"""From a kept document to instruction, context and response."""
