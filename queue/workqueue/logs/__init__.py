"""What functions print: bounded, kept through a kill, stored."""
