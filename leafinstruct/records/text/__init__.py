"""Properties of a text in any script: words, language, and which images it refers to."""
