"""Serve HTTP by gunicorn's threads. The event loop receives heads and sends to slow clients, which hold no thread."""
