"""Questions to a language model and their answers: client, answer cache, budget, schema-checked answers.
Importing it loads nothing."""
