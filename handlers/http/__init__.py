"""Parse requests, render errors, and deliver responses: what all endpoints share."""
