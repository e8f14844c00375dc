"""The files that settings are read from: `.env` and `localfn.toml`."""
