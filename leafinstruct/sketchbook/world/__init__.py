"""What is drawn: scenes, shapes and images, at any size."""
