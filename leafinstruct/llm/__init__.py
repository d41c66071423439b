"""Ask a language model questions: client, answer cache, budget, schema-checked answers. Importing this
package loads nothing."""
