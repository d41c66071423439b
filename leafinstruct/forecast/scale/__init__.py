"""What a build of another size would take: CPU and GPU hours, memory, storage, files (`--scale`)."""
