"""End sandboxes, and determine why one ended from its exit status and memory use."""
