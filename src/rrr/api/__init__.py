"""The house, read from outside."""
