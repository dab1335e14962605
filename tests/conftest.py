"""What holds for every test."""

import signal
from collections.abc import Iterator

import pytest

from rrr import secrecy

# Whoever runs the tests in the background ignores Ctrl-C; what they start must not inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nobody_knows_a_secret() -> Iterator[None]:
    """What one test reads as a secret may stand in the words of another."""
    yield
    secrecy.forget()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A case is not named by what is packed: that holds the second it was packed in.

    The processes that run the tests side by side agree on the names of all cases first.
    """
    packed = isinstance(val, bytes) and not (val.isascii() and len(val) < 40)
    return f"{argname} packed" if packed else None
