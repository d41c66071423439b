"""Evaluate scores, judges and rules by people's labels, and a trained model by the known truth of the lessons
that it generates."""
