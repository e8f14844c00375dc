"""Turn measurements into tables and plots."""
