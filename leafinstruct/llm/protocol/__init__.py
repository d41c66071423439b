"""The chat-completions protocol: what goes over the wire, and what one server accepts of it."""
