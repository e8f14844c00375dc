"""Serialize results and exceptions of user code for the runtime."""
