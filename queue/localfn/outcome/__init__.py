"""Turns what user code returned or raised into what the runtime stores."""
