"""How far annotators, people or judges, agree."""
