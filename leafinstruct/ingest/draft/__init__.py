"""What a folder contains, for `leaf init --from`: recognized files, and a sample of their documents."""
