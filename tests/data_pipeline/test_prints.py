"""Prints cut anywhere and shuffled make the same candles; doubt and refusals have names."""

from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rrr.core.market import Candle, Source
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.prints import END, Builder, Built, Print, Seen, candles_of, printed, units

XRP_ETH: Final = Path(__file__).parents[2].parent / "shared" / "data" / "binance" / "XRP-ETH"
SPEC: Final = Spec("binance", "XRP-ETH", "XRP", "ETH", 10, 8, 100, 1, 1, 0, inferred=False)
STEP: Final = 1_000
BEGIN: Final = 7 * STEP

lawful = settings(deadline=None, derandomize=True)
real = pytest.mark.skipif(not XRP_ETH.is_dir(), reason="the shared market data is not here")


def one(at_ms: int, price: int = 100, quantity: int = 1, name: str = "") -> Print:
    return Print(at_ms, price, quantity, id=name)


def flowing(**changes: int) -> Builder:
    builder = Builder(STEP, **changes)
    builder.resumed(BEGIN)
    return builder


prices = st.integers(1, 50)
moments = st.integers(BEGIN, BEGIN + 6 * STEP)


@st.composite
def histories(draw: st.DrawFn) -> list[Print]:
    """In the venue's order: by time, and numbered."""
    stamps = sorted(draw(st.lists(moments, max_size=30)))
    return [
        Print(at_ms, draw(prices), draw(prices), id=str(number))
        for number, at_ms in enumerate(stamps, start=95)
    ]


def slowly(prints: list[Print]) -> dict[int, Candle]:
    """The obvious twin: of prints in the venue's order."""
    made = {}
    for opened, each in groupby(prints, lambda print_: print_.at_ms // STEP * STEP):
        group = list(each)
        said = [print_.price for print_ in group]
        volume = sum(print_.quantity for print_ in group)
        made[opened] = Candle(0, said[0], max(said), min(said), said[-1], volume, Source.BUILT)
    return made


def made_of(built: list[Built]) -> dict[int, Candle]:
    return {each.opened_at_ms: each.candle for each in built if each.candle is not None}


@lawful
@given(histories(), st.lists(moments, max_size=5))
def test_prints_cut_anywhere_make_the_same_candles(prints: list[Print], cuts: list[int]) -> None:
    builder, built = flowing(), []
    borders = [BEGIN, *sorted(cuts), BEGIN + 7 * STEP]
    for begin, end in pairwise(borders):
        for each in prints:
            if begin <= each.at_ms < end:
                builder.take(each, heard_ms=each.at_ms)
        built += builder.until(end)
    assert made_of(built) == slowly(prints)
    assert [each.opened_at_ms for each in built] == list(range(BEGIN, BEGIN + 7 * STEP, STEP))
    assert all(each.whole for each in built)


@lawful
@given(histories(), st.randoms(use_true_random=False), st.integers(0, 5))
def test_order_and_repetition_leave_no_trace(
    prints: list[Print], random: Any, repeated: int
) -> None:
    builder, shuffled = flowing(), prints + prints[:repeated]
    random.shuffle(shuffled)
    for each in shuffled:
        builder.take(each)
    assert made_of(builder.until(BEGIN + 7 * STEP)) == slowly(prints)
    assert candles_of(shuffled, STEP) == slowly(prints)
    assert builder.counts[Seen.DUPLICATE] == len(prints[:repeated])


@lawful
@given(st.lists(st.tuples(moments, moments).map(sorted), max_size=5).map(sorted))
def test_a_candle_is_whole_if_no_break_touches_it(breaks: list[list[int]]) -> None:
    builder = flowing()
    for begin, end in breaks:
        builder.broken(begin)
        builder.resumed(end)
    whole = {each.opened_at_ms: each.whole for each in builder.until(BEGIN + 7 * STEP)}
    for opened, said in whole.items():
        met = any(begin < opened + STEP and max(end, begin + 1) > opened for begin, end in breaks)
        assert said == (not met)


def test_a_builder_begins_broken_and_what_was_open_when_it_began_is_not_whole() -> None:
    builder = Builder(STEP)
    builder.take(one(BEGIN + 1))
    assert [each.whole for each in builder.until(BEGIN + STEP)] == [False]
    builder.resumed(BEGIN + STEP + 1)
    assert [each.whole for each in builder.until(BEGIN + 3 * STEP)] == [False, True]


def test_while_it_is_broken_nothing_is_whole() -> None:
    builder = flowing()
    builder.broken(BEGIN + 2 * STEP)
    builder.broken(BEGIN + 3 * STEP)
    built = builder.until(BEGIN + 4 * STEP)
    assert [each.whole for each in built] == [True, True, False, False]
    builder.resumed(BEGIN + 5 * STEP)
    assert [each.whole for each in builder.until(BEGIN + 6 * STEP)] == [False, True]


def test_an_interval_without_prints_is_whole_too_and_has_no_candle() -> None:
    assert flowing().until(BEGIN + STEP) == [Built(BEGIN, None, 0, True)]


def test_an_interval_is_told_once() -> None:
    builder = flowing()
    builder.take(one(BEGIN))
    assert len(builder.until(BEGIN + STEP)) == 1
    assert builder.until(BEGIN + STEP) == []
    assert builder.until(BEGIN) == []


@pytest.mark.parametrize(
    ("print_", "seen", "whole"),
    [
        (one(BEGIN + STEP + 50, name="2"), Seen.TAKEN, True),
        (one(BEGIN + STEP + 10, name="2"), Seen.DISORDERED, True),
        (one(BEGIN + STEP + 40, name="1"), Seen.DUPLICATE, True),
        (one(BEGIN + STEP + 40, price=99, name="1"), Seen.CONTRADICTED, False),
        (one(BEGIN + STEP - 1, name="2"), Seen.LATE, True),
        (one(BEGIN + STEP + 60 + 5_000, name="2"), Seen.TAKEN, True),
        (one(BEGIN + STEP + 61 + 5_000, name="2"), Seen.FUTURE, False),
        (one(BEGIN + STEP, price=0), Seen.IMPOSSIBLE, False),
        (one(BEGIN + STEP, quantity=0), Seen.IMPOSSIBLE, False),
        (one(BEGIN + STEP, quantity=-1), Seen.IMPOSSIBLE, False),
        (one(BEGIN + STEP, price=END), Seen.IMPOSSIBLE, False),
        (one(BEGIN + STEP, quantity=END - 1, name="2"), Seen.IMPOSSIBLE, False),
        (one(BEGIN + STEP + 50), Seen.UNSURE, False),
        (one(-1), Seen.IMPOSSIBLE, False),
        (Print(BEGIN + STEP, 1.5, 1), Seen.IMPOSSIBLE, False),  # type: ignore[arg-type]
        (Print(BEGIN + STEP, True, 1), Seen.IMPOSSIBLE, False),
    ],
)
def test_what_becomes_of_a_print_has_a_name(print_: Print, seen: Seen, whole: bool) -> None:
    builder = flowing()
    builder.until(BEGIN + STEP)
    builder.take(one(BEGIN + STEP + 40, quantity=1, name="1"))
    assert builder.take(print_, heard_ms=BEGIN + STEP + 60) is seen
    assert builder.counts[seen] >= 1
    (built,) = builder.until(BEGIN + 2 * STEP)
    assert built.whole is whole
    if seen not in (Seen.TAKEN, Seen.DISORDERED):
        assert built.prints == 1


def test_what_an_id_could_not_tell_any_more_is_not_believed_to_be_new() -> None:
    builder = flowing(ids_max=2)
    for number in range(3):
        builder.take(one(BEGIN + number, name=str(number)))
    assert builder.take(one(BEGIN, name="0")) is Seen.UNSURE
    assert builder.take(one(BEGIN + 1, name="1")) is Seen.DUPLICATE
    (built,) = builder.until(BEGIN + STEP)
    assert (built.prints, built.whole) == (3, False)


def test_of_one_millisecond_the_ninth_print_is_before_the_tenth() -> None:
    tenth, ninth = one(BEGIN, price=10, name="10"), one(BEGIN, price=9, name="9")
    candle = candles_of([tenth, ninth], STEP)[BEGIN]
    assert (candle.open, candle.close) == (9, 10)


def test_prints_without_ids_keep_the_order_of_their_coming() -> None:
    candle = candles_of([one(BEGIN, 5), one(BEGIN, 7), one(BEGIN, 5)], STEP)[BEGIN]
    assert (candle.open, candle.close, candle.volume) == (5, 5, 3)


def test_memory_does_not_grow_with_what_flows_through() -> None:
    builder = flowing(ids_max=10)
    for number in range(2_000):
        at_ms = BEGIN + number * 7
        builder.take(one(at_ms, name=str(number)))
        if at_ms // STEP % 2:
            builder.broken(at_ms)
            builder.resumed(at_ms + 3)
        if at_ms % STEP < 7:
            builder.until(at_ms)
    held = {"_ids": 10, "_forming": 2, "_doubts": 2}
    assert all(len(vars(builder)[name]) <= most for name, most in held.items())


anything: Final = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals(),
    st.text("0123456789.-+eENa ", max_size=8),
    st.sampled_from([[1], {}, 10**400, "1e400", "٣", "1_000", "0x10", " 1", "NaN", "-0", "1."]),
)
NAMES: Final = ("timestamp", "price", "amount", "side", "id")
trades = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, anything))


@lawful
@given(trades)
@example({"timestamp": 1, "price": 1e-300, "amount": 1.0})
@example({"timestamp": 1, "price": Decimal("1e999999999"), "amount": 1.0})
def test_whatever_a_message_says_it_is_a_possible_print_or_has_a_reason(
    trade: dict[str, object],
) -> None:
    read = printed(trade, SPEC)
    if isinstance(read, str):
        assert read.startswith("its ")
    else:
        assert 0 < read.price < END
        assert 0 < read.quantity < END
        assert isinstance(trade["price"], int | float | str | Decimal)


@lawful
@given(
    st.lists(st.builds(Print, anything, anything, anything, anything, anything), max_size=5),
    st.integers(BEGIN, BEGIN + STEP),
)
def test_a_fuzzed_print_never_makes_a_candle(fuzzed: list[Print], heard_ms: int) -> None:
    builder = flowing()
    good = one(BEGIN + 5, name="good")
    builder.take(good, heard_ms)
    for each in fuzzed:
        if builder.take(each, heard_ms) in (Seen.TAKEN, Seen.DISORDERED):
            assert all(type(number) is int for number in each[:3])
            assert each.at_ms <= heard_ms + 5_000
    taken = builder.counts[Seen.TAKEN] + builder.counts[Seen.DISORDERED]
    assert sum(each.prints for each in builder.until(BEGIN + 100 * STEP)) == taken


@lawful
@given(st.integers(0, 10**15 - 1), st.integers(0, 12))
def test_a_float_stands_for_the_decimals_it_is_written_with(number: int, decimals: int) -> None:
    exact = Decimal(number).scaleb(-decimals)
    assert units(float(exact), decimals) == number
    assert units(str(format(exact, "f")), decimals) == number
    assert units(exact, decimals) == number


@pytest.mark.parametrize(
    ("trade", "reason"),
    [
        ({}, "its time is no number of milliseconds"),
        ({"timestamp": 1.5}, "its time is no number of milliseconds"),
        ({"timestamp": 1}, "its price is no number"),
        ({"timestamp": 1, "price": float("nan")}, "its price is no number"),
        ({"timestamp": 1, "price": -1.0}, "its price is negative"),
        ({"timestamp": 1, "price": 0.0, "amount": 1.0}, "its price is zero"),
        ({"timestamp": 1, "price": 1e-11}, "its price has more than 10 decimals"),
        ({"timestamp": 1, "price": 1e10}, "its price does not fit into 64 bits"),
        ({"timestamp": 1, "price": 1.0, "amount": None}, "its quantity is no number"),
        ({"timestamp": 1, "price": 1.0, "amount": 1e-9}, "its quantity is zero"),
    ],
)
def test_what_is_no_print_says_why(trade: dict[str, object], reason: str) -> None:
    assert printed(trade, SPEC) == reason


def test_a_trade_of_ccxt_is_a_print() -> None:
    trade = {"timestamp": 5, "price": 0.00141342, "amount": 23.0, "side": "sell", "id": "13519807"}
    assert printed(trade, SPEC) == Print(5, 14134200, 23 * 10**8, -1, "13519807")


@real
@pytest.mark.parametrize(("timeframe", "step_ms"), [("1m", 60_000), ("5m", 300_000)])
def test_recorded_prints_make_the_recorded_candles_exactly(timeframe: str, step_ms: int) -> None:
    import pyarrow.parquet as parquet

    rows = parquet.read_table(XRP_ETH / "trades.parquet").rename_columns(
        ["timestamp", "id", "side", "price", "amount", "cost"]
    )
    prints = [printed(row, SPEC) for row in rows.to_pylist()]
    assert not [said for said in prints if isinstance(said, str)]
    believed = [said for said in prints if isinstance(said, Print)]
    expected = {
        row["ts"]: slowly([Print(0, round(row["open"] * 10**SPEC.points), 1)])[0]._replace(
            high=round(row["high"] * 10**SPEC.points),
            low=round(row["low"] * 10**SPEC.points),
            close=round(row["close"] * 10**SPEC.points),
            volume=round(row["volume"] * 10**SPEC.grains),
        )
        for row in parquet.read_table(XRP_ETH / f"{timeframe}.parquet").to_pylist()
    }
    assert len(expected) > 700
    assert candles_of(believed, step_ms) == expected

    builder = Builder(step_ms)
    builder.resumed(believed[0].at_ms // step_ms * step_ms)
    for each in believed:
        builder.take(each, each.at_ms)
    built = builder.until(max(expected) + step_ms)
    assert made_of(built) == expected
    assert all(each.whole for each in built)
