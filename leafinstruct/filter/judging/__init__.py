"""The judge: request, answers, several judges, and the rule-based judge."""
