"""Why an exchange cannot be reached is said in words that are true."""

import errno
import socket
import ssl

import pytest

from rrr.core.errors import Unavailable
from rrr.data_pipeline.exchange_client import _reason
from tests.data_pipeline.exchanges import START_MS, opened
from tests.data_pipeline.loopback import Loopback, Time


async def test_who_answers_in_plain_is_not_spoken_to_in_secret() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        address = server.address.replace("http:", "https:")
        with pytest.raises(Unavailable, match="no encrypted connection: wrong version number"):
            async with opened(address, clock):
                raise AssertionError("It must not open.")
        assert server.asked == []


def test_each_kind_of_error_has_numbers_of_its_own() -> None:
    refused = OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")
    assert _reason(refused) == "Connection refused"
    for number in (-2, errno.ENOEXEC):  # as Linux and macOS say it
        assert (
            _reason(socket.gaierror(number, "nobody knows that name")) == "nobody knows that name"
        )
    secret = ssl.SSLError(errno.EPERM, "[SSL] wrong")
    secret.reason = "WRONG_VERSION_NUMBER"
    assert _reason(secret) == "no encrypted connection: wrong version number"
    foreign = ssl.SSLCertVerificationError(1, "certificate verify failed")
    foreign.verify_message = "self-signed certificate"
    assert _reason(foreign) == "no encrypted connection: self-signed certificate"
    assert _reason(TimeoutError()) == "TimeoutError"
