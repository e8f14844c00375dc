"""Read the bytes of a request's body exactly as the client sent them, or refuse them; deliver those of an answer."""
