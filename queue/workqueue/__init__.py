"""Everything after the 202: submit, doorbell, invoke, sandboxes, lifecycle, reconciler, workers."""
