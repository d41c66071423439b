"""The chat-completions protocol: what is sent, and what one server accepts of it."""
