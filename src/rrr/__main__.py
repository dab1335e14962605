"""`python -m rrr` is `rrr`."""

from rrr.cli import run

run()
