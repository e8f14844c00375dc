"""Run functions inside a sandbox process."""
