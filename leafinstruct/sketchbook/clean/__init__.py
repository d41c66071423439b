"""Clean documents that a score could take for defects: many languages, numbers, code, few words."""
