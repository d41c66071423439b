"""What a text says, in any script: words, language, and which images it speaks of."""
