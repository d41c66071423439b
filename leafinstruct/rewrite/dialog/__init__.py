"""Examples of several questions and answers: one step a turn, and questions about a sequence of images."""
