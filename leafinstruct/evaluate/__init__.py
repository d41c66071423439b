"""What a trained model can do: lessons told and drawn from an instruction alone, judged by the world's own
truth, and what it forgot."""
