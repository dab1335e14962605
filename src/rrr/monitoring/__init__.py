"""What happened, in words and figures."""
