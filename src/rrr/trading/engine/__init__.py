"""Rows are durable first; then the state is adopted and orders leave."""
