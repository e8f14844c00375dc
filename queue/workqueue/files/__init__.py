"""Where files lie: uploads and outputs in a store, what a function works on in a workplace."""
