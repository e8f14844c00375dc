"""Serve HTTP by gunicorn's threads, of which no slow client holds one: heads and answers are the event loop's work."""
