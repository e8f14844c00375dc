"""Turn rows into the JSON of the API."""
