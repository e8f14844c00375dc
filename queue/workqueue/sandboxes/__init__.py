"""Child interpreters that run user code: how they are started, lent, listened to and ended."""
