"""Orders go out, reports come in."""
