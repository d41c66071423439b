"""What a server's error means: asked again, asked otherwise, or the end of the run."""
