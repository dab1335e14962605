"""What is missing or doubtful comes with its close; what is refused is no word about anybody."""

from rrr.data_pipeline.exchange import Gap, Why
from tests.data_pipeline.exchanges import NOON_MS, START_MS, STEP_MS, SYMBOLS, all_of, opened
from tests.data_pipeline.loopback import Loopback, Row, Time, walk

BTC, ETH, _ = SYMBOLS


def minute(number: int) -> int:
    return NOON_MS + number * STEP_MS


async def test_a_gap_comes_with_its_close_and_one_of_a_past_without_any_with_the_next() -> None:
    empty, clock = {minute(-4), minute(-3), minute(2)}, Time(START_MS)

    def candle(symbol: str, at: int) -> Row | None:
        alone = symbol == ETH and at == minute(0)
        return None if at in empty or alone else walk(symbol, at)

    with Loopback(clock, candle) as server:
        async with opened(server, clock, candles=4, past=5) as market:
            arrivals = await all_of(market)

    def silent(number: int, *symbols: str) -> list[Gap]:
        return [Gap(symbol, minute(number), Why.NO_TRADES) for symbol in symbols]

    assert {one.close.opened_at_ms: list(one.gaps) for one in arrivals} == {
        minute(-5): [],
        minute(-2): [*silent(-4, *SYMBOLS), *silent(-3, *SYMBOLS)],
        minute(-1): [],
        minute(0): silent(0, ETH),
        minute(1): [],
        minute(2): silent(2, *SYMBOLS),
        minute(3): [],
    }
    assert [one.silent for one in arrivals if one.close.missing] == [(1,), (0, 1, 2)]


async def test_whoever_goes_on_after_a_close_is_told_of_no_time_before_it() -> None:
    def candle(symbol: str, at: int) -> Row | None:
        return None if symbol == ETH and at // STEP_MS % 2 else walk(symbol, at)

    clock, symbols = Time(START_MS), [BTC, ETH]
    with Loopback(clock, candle) as server:
        async with opened(server, clock, symbols=symbols, candles=1, past=6) as market:
            whole = await all_of(market)
        async with opened(server, clock, symbols=symbols, candles=0, past=7) as market:
            rest = await all_of(market, after_ms=minute(-3))
    assert [one.close for one in rest] == [one.close for one in whole[3:]]
    assert [one.gaps for one in rest] == [one.gaps for one in whole[3:]]
    assert len({gap for one in rest for gap in one.gaps}) == 2


async def test_of_what_is_refused_nobody_was_heard() -> None:
    clock, ages = Time(START_MS), list[list[int | None]]()

    def twist(symbol: str, rows: list[Row]) -> list[Row]:
        """BTC: nothing but nonsense from noon on; ETH: nobody trades it."""
        later = [row for row in rows if row.opened_at_ms >= NOON_MS]
        before = rows[: len(rows) - len(later)]
        if symbol == BTC:
            return [*before, *(row._replace(high="0.1") for row in later)]
        return before if symbol == ETH else rows

    with Loopback(clock, twist=twist) as server:
        async with opened(server, clock, candles=3, past=1) as market:
            arrivals = []
            async for arrival in market.arrivals(0):
                arrivals.append(arrival)
                ages.append([pulse.data_age_ms for pulse in market.health().pulses])
    live = arrivals[1:]
    assert [one.close.missing for one in live] == [(0, 1)] * 3
    assert [one.silent for one in live] == [(1,)] * 3
    for number, one in enumerate(live):
        assert one.gaps == (
            Gap(BTC, minute(number), Why.REFUSED),
            Gap(ETH, minute(number), Why.NO_TRADES),
        )
    for number, (btc, eth, sol) in enumerate(ages[1:]):
        assert btc is not None
        assert eth == sol == btc - (number + 1) * STEP_MS
