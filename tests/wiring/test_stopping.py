"""Who asks once ends us after a commit, who asks twice at once; work that is given up is over."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from rrr.wiring.stopping import stop_when_asked, unless

STUBBORN = """
import asyncio
from rrr.wiring.stopping import stop_when_asked

async def main():
    stop = stop_when_asked()
    print("ready", flush=True)
    await stop.wait()
    print("asked", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_who_asks_once_is_heard(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    stop = stop_when_asked()
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    await stop.wait()
    for each in SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(each)
        signal.signal(each, before[each])


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_who_asks_twice_ends_it(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(number)
    assert process.returncode == -number


async def test_another_kind_of_asking_is_no_second_time() -> None:
    stop, loop = stop_when_asked(), asyncio.get_running_loop()
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
    heard = [loop.remove_signal_handler(number) for number in SIGNALS]
    assert heard == [True, False, True]


async def test_work_that_nobody_stops_is_done() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("work")

    assert await unless(asyncio.Event(), work())
    assert done == ["work"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_that_is_stopped_is_given_up_and_has_cleaned_up_after_itself() -> None:
    stop, told = asyncio.Event(), []

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("cleaned up")

    assert not await unless(stop, work())
    assert told == ["cleaned up"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_that_fails_says_so() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await unless(asyncio.Event(), work())


async def test_work_that_fails_while_it_is_given_up_says_so_too() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await unless(stop, work())
