"""What an attempt consists of: the parts of invoke.py, from the claimed group to what follows its end."""
