"""An exchange is asked at its pace, exits find room, and what it says of its limits is obeyed."""

import asyncio
import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Final

import pytest

from rrr.data_pipeline import stream
from rrr.data_pipeline.exchange_client import Client, Manner, connect
from rrr.data_pipeline.exchange_pace import Messages, Requests, Serving, is_exit, serving
from rrr.data_pipeline.exchange_troubles import Trouble
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.intake import Intake
from tests.data_pipeline.exchanges import Teller

SECOND_MS: Final = 1_000


class Time:
    """Passes only while somebody waits."""

    def __init__(self) -> None:
        self.now_ms = 10**9

    def __call__(self) -> int:
        return self.now_ms

    async def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now_ms += max(int(seconds * 1000), 1)
        await asyncio.sleep(0)


def requests(name: str = "kraken", rate_limit_ms: float = SECOND_MS) -> tuple[Requests, Time]:
    time = Time()
    return Requests(name, rate_limit_ms, time, time.wait), time


async def test_no_minute_holds_more_than_the_exchange_allows() -> None:
    ours, time = requests()
    sent = []
    for _ in range(300):
        await ours.turn()
        sent.append(time())
    for begin in sent:
        assert sum(begin <= at <= begin + 60_000 for at in sent) <= 60


async def test_the_first_few_wait_for_nothing_and_an_exit_finds_the_reserve() -> None:
    ours, time = requests()
    begin = time()
    for _ in range(3):
        await ours.turn()
    assert time() == begin
    token = is_exit.set(True)
    await ours.turn()
    assert time() == begin
    is_exit.reset(token)
    await ours.turn()
    assert time() > begin


async def test_a_pause_is_kept_by_exits_too() -> None:
    ours, time = requests()
    begin = time()
    ours.pause(30)
    assert ours.left() == 0
    token = is_exit.set(True)
    with pytest.raises(Trouble, match="asked for a pause, of which 30 s are left") as caught:
        await ours.turn()
    assert caught.value.pause_s == 30
    assert time() == begin, "Whoever asks is told, and does not wait."
    time.now_ms += 30_000
    await ours.turn()
    is_exit.reset(token)


async def test_who_waits_for_room_sees_a_pause_that_begins() -> None:
    ours, _ = requests()
    for _ in range(4):
        await ours.turn()
    waiting = asyncio.create_task(ours.turn())
    await asyncio.sleep(0)
    ours.pause(600)
    with pytest.raises(Trouble):
        await waiting


async def test_what_weighs_more_than_there_ever_is_at_once_waits_for_all_of_it() -> None:
    ours, time = requests("binance", 50)
    begin = time()
    for _ in range(3):
        await ours.turn(1e9)
    assert 0 < time() - begin < 60_000


async def test_what_others_use_up_is_not_used_again() -> None:
    ours, time = requests("binance", 50)
    begin = time()
    ours.answered({"X-MBX-USED-WEIGHT-1M": "5990"})
    await ours.turn(20)
    assert time() > begin
    for odd in ("", "-1", "many", "\u0661", "9" * 99):
        requests("binance", 50)[0].answered({"x-mbx-used-weight-1m": odd})
    requests("kraken")[0].answered({"x-mbx-used-weight-1m": "5990"})


async def test_messages_go_one_after_the_other_in_their_order() -> None:
    time = Time()
    messages, sent = Messages("binance", time, time.wait), list[tuple[int, int]]()

    async def send(number: int) -> None:
        await messages.turn(1)
        sent.append((number, time()))

    await asyncio.gather(*(send(number) for number in range(20)))
    assert [number for number, _ in sent] == list(range(20))
    gaps = [after - before for (_, before), (_, after) in pairwise(sent)]
    assert min(gaps) >= serving("binance").message_ms


async def test_ccxt_asks_here_before_it_asks_the_exchange() -> None:
    client = connect("kraken", "1m", None, Manner(), Teller())
    before = client.requests.left()
    await client.ccxt.throttle(2)
    assert before - client.requests.left() == pytest.approx(2, abs=0.1)
    await client.close()


async def test_candles_come_first_and_what_is_too_much_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "serving", lambda name: Serving(streams_max=3))
    told, time = Teller(), Time()
    client = connect("kraken", "1m", None, Manner(sockets=True), told, time)
    specs = [
        Spec("kraken", f"{base}-USD", base, "USD", 2, 8, 1, 1, 1, 1, inferred=False)
        for base in ("BTC", "ETH")
    ]
    intakes = [
        Intake(at, one.symbol, one.symbol.replace("-", "/"), one, 60_000)
        for at, one in enumerate(specs)
    ]
    sockets = stream.Sockets(client, intakes, Manner(), told)
    assert sockets.up("BTC-USD").keys() == {"candles", "touch"}
    assert sockets.up("ETH-USD").keys() == {"candles"}
    assert told.words("streams_planned") == [
        "kraken serves 3 streams at once: not heard are ETH-USD touch; REST is asked"
    ]
    await client.close()


async def test_a_touch_vouches_for_no_stream_that_never_spoke() -> None:
    told, time = Teller(), Time()
    client = connect("kraken", "1m", None, Manner(sockets=True), told, time)
    sockets = sockets_of(client, time, told)
    candles, touch = sockets._following
    for each in (candles, touch):
        sockets._silence.expect(each.stream, time())
    for _ in range(200):
        time.now_ms += 1_000
        said = {"bid": 100.0 + time() % 7, "ask": 110.0}
        sockets._heard(touch, said)
    assert [one.stream for one in sockets._silence.verdicts(time())] == [candles.stream]
    await client.close()


async def test_what_a_dead_connection_had_to_say_holds_nobody_up() -> None:
    time = Time()
    messages, dead = Messages("binance", time, time.wait), [False]
    waiting = [asyncio.create_task(messages.turn(over=lambda: dead[0])) for _ in range(99)]
    await asyncio.sleep(0)
    dead[0], begin = True, time()
    await messages.turn()
    assert time() - begin <= 2 * serving("binance").message_ms
    await asyncio.gather(*waiting)


async def test_a_stream_that_dies_of_our_mistake_is_no_secret() -> None:
    told, time = Teller(), Time()
    client = connect("kraken", "1m", None, Manner(sockets=True), told, time)
    sockets = sockets_of(client, time, told)

    async def broken() -> None:
        raise AssertionError("A law of the house.")

    sockets._following[0].watch = sockets._following[1].watch = broken
    with pytest.raises(AssertionError, match="A law of the house"):
        await sockets.run()
    await client.close()


@pytest.mark.parametrize(
    ("asked", "kept"), [(math.inf, 86_400), (math.nan, 0), (-5, 0), (None, 0), (3e7, 86_400)]
)
async def test_a_pause_that_nobody_can_mean_is_bounded(asked: float | None, kept: float) -> None:
    told, time = Teller(), Time()
    client = connect("kraken", "1m", None, Manner(sockets=True), told, time)
    sockets = sockets_of(client, time, told)
    made = SimpleNamespace(last_retry_after=asked, url="wss://x", ended=False, dressed=True)
    client.ccxt.on_error = lambda made, why: None
    sockets._dress()
    client.ccxt.on_error(made, ValueError("no"))
    assert kept * 1000 <= sockets._dial_ms - time() <= kept * 1000 + 60_000
    assert told.names() == ["stream_trouble"]
    await client.close()


async def test_pauses_outlast_a_clock_that_is_set_back() -> None:
    told, wall, steady = Teller(), Time(), Time()
    client = connect("kraken", "1m", None, Manner(sockets=True), told, wall)
    sockets = sockets_of(client, steady, told)
    sockets._broken("code 1006")
    wall.now_ms -= 3_600_000
    assert 0 < sockets._dial_ms - steady() <= 1_000
    await client.close()


def sockets_of(client: Client, time: Time, told: Teller) -> stream.Sockets:
    spec = Spec("kraken", "BTC-USD", "BTC", "USD", 2, 8, 1, 1, 1, 1, inferred=False)
    intake = Intake(0, "BTC-USD", "BTC/USD", spec, 60_000)
    return stream.Sockets(client, [intake], Manner(time.wait, monotonic_ms=time), told)


def test_an_exchange_of_which_nothing_is_known_is_treated_with_care() -> None:
    assert serving("nobody").message_ms >= max(serving(n).message_ms for n in ("kraken", "binance"))
    assert serving("nobody").streams_max <= serving("kraken").streams_max
