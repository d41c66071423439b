"""What is drawn: scenes, shapes and pictures, at any size."""
