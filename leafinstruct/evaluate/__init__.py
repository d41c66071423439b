"""Evaluate a trained model: generate lessons from an instruction and compare them with the known truth, and
measure what the model forgot."""
