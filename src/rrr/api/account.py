"""A venue is asked two harmless things about an account: what its keys may do, and what time it is.

Nothing of ccxt's leaves here, above all no text of its errors: they hold the signed address.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from rrr.api.permissions import Allowed, allowed, question
from rrr.config.keys import Keys
from rrr.core.errors import NotArmed, RRRError, Unavailable
from rrr.data_pipeline import lean_ccxt
from rrr.data_pipeline.exchange_client import MISREAD
from rrr.data_pipeline.private_client import signed

CUT_MS: Final = 999  # of a venue that tells whole seconds


def has_sandbox(venue: str) -> bool:
    """Whether ccxt knows a test network; where it knows none it would go on without an address."""
    return bool(lean_ccxt.load(venue)[0]({}).urls.get("test"))


@dataclass(frozen=True, slots=True)
class Account:
    """Of whoever holds these keys, asked at another address if there is one.

    `dressed` may speak in place of the network.
    """

    address: str | None = None
    dressed: Callable[[Any], None] = lambda ccxt: None

    def allowed(self, keys: Keys) -> Allowed:
        """What the keys may do. Raise NotArmed where they are wrong, or that cannot be read."""
        call = question(keys.venue)

        async def ask(ccxt: Any) -> object:
            return await getattr(ccxt, call)()

        return allowed(keys.venue, self._asked(keys, ask))

    def apart_ms(self, keys: Keys) -> int:
        """The least by which the clock of this machine and the venue's are apart."""

        async def ask(ccxt: Any) -> tuple[int, int, int]:
            return _now_ms(), int(await ccxt.fetch_time()), _now_ms()

        times: tuple[int, int, int] = self._asked(keys, ask)
        sent_ms, venue_ms, received_ms = times
        latest_ms = venue_ms + (CUT_MS if venue_ms % 1000 == 0 else 0)
        return max(sent_ms - latest_ms, venue_ms - received_ms, 0)

    def _asked(self, keys: Keys, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(self._answered(keys, ask))

    async def _answered(self, keys: Keys, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        ccxt = signed(keys, self.address, self.dressed)
        from ccxt.base.errors import AuthenticationError, BaseError, PermissionDenied

        left = []
        fetch = ccxt.fetch

        async def leaves(*request: Any) -> Any:
            left.append(request)
            return await fetch(*request)

        ccxt.fetch = leaves
        failed: RRRError
        try:
            return await ask(ccxt)
        except PermissionDenied:
            failed = NotArmed(
                f"{keys.venue} does not let these keys ask what they may do.",
                "Let them: what cannot be read may withdraw.",
            )
        except AuthenticationError:
            failed = NotArmed(
                f"{keys.venue} does not take the keys of {keys.place}.",
                "Copy them anew: they may be another network's, another venue's, or deleted.",
            )
        except (BaseError, OSError, *MISREAD) as error:
            failed = Unavailable(
                f"{keys.venue} did not answer ({type(error).__name__}).", "Ask again later."
            )
            if not left:
                failed = NotArmed(
                    f"Nothing can be signed with the secret of {keys.place}.",
                    f"Copy it anew, as {keys.venue} showed it.",
                )
        finally:
            await ccxt.close()
        raise failed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
