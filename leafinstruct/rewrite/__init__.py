"""Turn kept documents into examples: instruction, context and response."""
