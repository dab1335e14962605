"""A run as a page: what it did, what it cost, and how much of it to believe."""
