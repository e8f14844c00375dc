"""Hold three real functions.

profile_csv takes an upload and writes output files; fetch_json calls an HTTP API and retries; thumbnail scales images.
"""
