"""Store uploads and output files, and provide the working directories of functions."""
