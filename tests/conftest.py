"""Whoever runs the tests in the background ignores Ctrl-C; what they start must not inherit it."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
