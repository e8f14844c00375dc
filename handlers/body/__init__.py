"""Read request bodies: every byte as the client sent it, or an error."""
