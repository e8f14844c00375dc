"""Checks behind 'localfn doctor'."""
