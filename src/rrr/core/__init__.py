"""The law: pure, deterministic, integers. No I/O, no clock, no randomness."""
