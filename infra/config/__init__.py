"""Settings, and the values that they are parsed into."""
