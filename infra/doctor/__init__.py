"""Implement the checks of `localfn doctor`."""
