"""What a build would take: documents, images, requests, tokens and dollars (`leaf build --dry-run`)."""
