"""Start the processes of `up` as forks of one that has imported the runtime, so that they share its memory."""
