"""The guard: its one verb is halt, and it takes back only its own."""
