"""Record which workers and sandboxes are alive."""
