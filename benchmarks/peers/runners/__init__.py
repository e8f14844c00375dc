"""Run each compared project: one module for each."""
