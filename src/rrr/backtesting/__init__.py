"""Run the house fast, and prove it the same house."""
