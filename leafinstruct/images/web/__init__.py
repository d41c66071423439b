"""Images on the web: address -> bytes, politely (robots, hosts), safely (address), once (store)."""
