"""The parts of a worker's engine: attempts, sandboxes, assignment, results, leases. `invoke` lists the steps."""
