"""Who asks us to stop is obeyed after the next commit; who asks twice ends us at once.

Start-up is recovery, so that neither loses anything. A session that was stopped has done what was
asked, however early: it ends with 0.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


class Stopped(Exception):
    """Before there was anything that could be ended: when that was, in a sentence."""


def stop_when_asked() -> asyncio.Event:
    """Set by SIGINT, SIGTERM or SIGHUP; the second of a kind does what it always does."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked, number)
    return stop


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do this work, or give it up as soon as somebody stops us; whether it was done.

    Not a step of it is done once we are stopped: what it builds upon may not have been done either.
    """
    if stop.is_set():
        work.close()
        return False
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.wait({working})  # until it has cleaned up
    if working.cancelled():
        return False
    working.result()
    return True
