"""What makes true, time and again, what a crash or the years left undone: one of any number of copies leads."""
