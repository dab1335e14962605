"""What `rrr why` says is what the core decided, rule for rule and figure for figure."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.api import why_words
from rrr.api.why import why, why_in_words
from rrr.api.why_rules import Because, Case, Judged, judged, wished
from rrr.core import policy, rules
from rrr.core.errors import JournalBroken, NotFound
from rrr.core.events import Adopted, Close, Command, Refused, Signal, Touch, Verb
from rrr.core.rules import Refusal
from rrr.core.state import EMPTY, Halt, Law
from rrr.database import sessions
from rrr.database.opening import PAPER, connect_read_only
from rrr.database.sessions import Unit
from rrr.monitoring.words import stamp
from rrr.trading.engine import opening
from rrr.trading.engine.engine import Moment
from rrr.trading.engine.opening import core_hash
from tests.builders import CAPITAL, HOUR, LAW, LISTED, START, Session, history, lane, session
from tests.core.test_rules import BROKEN, FINE
from tests.storm.lives import ask, lived, living, moments, spoil, terms

DOLLARS = Unit("made", "BTC-USD", "BTC", "USD", 4, 8, 0, "made up")
STRICT = LAW._replace(
    warmup_candles=24,
    conviction_min_bps=1_000,
    band_bps=500,
    cooldown_ms=4 * HOUR,
    exposure_max_bps=3_000,
    gross_max_bps=8_000,
    book_volatility_max_ppm=9_000,
)
LAWS = st.builds(
    LAW._replace,
    volatility_target_ppm=st.sampled_from([500, 5_000, 50_000]),
    conviction_min_bps=st.sampled_from([1, 1_000]),
    band_bps=st.sampled_from([0, 500, 2_500]),
    warmup_candles=st.sampled_from([0, 9]),
    stop_bps=st.sampled_from([50, 300, 9_999]),
    exposure_max_bps=st.sampled_from([500, 4_000, 10_000]),
    gross_max_bps=st.sampled_from([500, 9_000, 10_000]),
    book_volatility_max_ppm=st.sampled_from([1_000, 20_000, 1_000_000]),
    orders_per_minute_max=st.integers(1, 32),
    order_notional_max=st.sampled_from([CAPITAL // 100, CAPITAL]),
    loss_24h_max_bps=st.sampled_from([50, 600, 10_000]),
    drawdown_max_bps=st.sampled_from([500, 10_000]),
    cooldown_ms=st.sampled_from([0, 4 * HOUR]),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


def told(path: Path, symbol: str = "BTC-USD", at_ms: int | None = None) -> dict[str, Any]:
    with closing(connect_read_only(path, PAPER)) as connection:
        return why(connection, sessions.named(connection, None), symbol, at_ms, core_hash())


def signals(seed: int, under: Law, closes: int) -> Iterator[tuple[Session, Signal]]:
    """A random history, stopped before each of its signals."""
    world = session(*(one.instrument for one in LISTED), under=under)
    for event in history(seed, closes):
        if isinstance(event, Signal):
            yield world, event
        world.meet(event)


def case_of(world: Session, signal: Signal) -> tuple[Case, Because]:
    law, account, instruments, lanes = world.world.state
    one, listed = lanes[signal.instrument], instruments[signal.instrument]
    found = wished(law, account, one, listed, signal.conviction_bps)
    return Case(law, account, one, listed, found.judged, signal.at_ms), found.because


@given(st.integers(0, 2**32), LAWS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_first_rule_shown_as_broken_is_the_one_that_the_core_names(
    seed: int, under: Law
) -> None:
    for world, signal in signals(seed, under, 30):
        case, _ = case_of(world, signal)
        copy = Session(world.world)
        said = copy.meet(signal)[1:]
        refused = [item.refusal for item in said if isinstance(item, Refused)]
        if case.change == 0:
            assert said == []
            continue
        broken = [rule.refusal for rule in judged(case) if rule.broken]
        assert (broken[:1] or [Refusal.NONE]) == [rules.refuse(*case)]
        assert broken[:1] == refused


def loosened(world: Session, signal: Signal, **changes: int) -> int:
    """What the core would wish under a law that differs by so much."""
    law, account, instruments, lanes = world.world.state
    i = signal.instrument
    law = law._replace(**changes)
    return policy.wish(law, account, lanes[i], instruments[i], signal.conviction_bps)


@given(st.integers(0, 2**32), LAWS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_what_is_said_to_decide_the_wish_is_what_decides_it(seed: int, under: Law) -> None:
    for world, signal in signals(seed, under, 30):
        law, account, instruments, lanes = world.world.state
        one, listed = lanes[signal.instrument], instruments[signal.instrument]
        if one.mark == 0:
            continue
        found = wished(law, account, one, listed, signal.conviction_bps)

        target = partial(loosened, world, signal)
        wider = {"exposure_max_bps": 2 * law.exposure_max_bps}
        larger = {"order_notional_max": 2 * law.order_notional_max}
        bolder = {"volatility_target_ppm": 2 * law.volatility_target_ppm}
        match found.because:
            case Because.CONVICTION | Because.UNPROTECTED:
                assert found.target == 0
            case Because.BAND:
                assert found.target == found.held
                assert found.change == 0
            case Because.SMALL:
                assert found.change == 0
            case Because.VOLATILITY:
                assert found.target == target(**wider, **larger)
            case Because.EXPOSURE:
                assert found.target == target(**bolder)
                assert found.target <= target(**wider, **larger)
            case Because.NOTIONAL:
                assert found.target == target(**bolder, **wider)
                assert found.target <= target(**larger)


def test_every_rule_is_judged_in_the_order_of_precedence() -> None:
    assert [rule.refusal for rule in judged(Case(*FINE))] == [*Refusal][1:]
    assert not any(rule.broken for rule in judged(Case(*FINE)))


@pytest.mark.parametrize(("refusal", "part", "changes"), BROKEN, ids=[r[0].name for r in BROKEN])
def test_a_broken_rule_shows_a_figure_beyond_its_limit(
    refusal: Refusal, part: str, changes: dict[str, Any]
) -> None:
    fine = {rule.refusal: rule for rule in judged(Case(*FINE))}[refusal]
    broken = {rule.refusal: rule for rule in judged(Case(*FINE.but(part, **changes)))}[refusal]
    assert (fine.broken, broken.broken) == (False, True)
    assert (fine.value > fine.limit) != (broken.value > broken.limit) or refusal in (
        Refusal.QUANTITY_MIN,
        Refusal.NOTIONAL_MIN,
        Refusal.WARMUP,
        Refusal.COOLDOWN,
    )
    assert sentence(broken, part, changes) != sentence(fine)


def sentence(rule: Judged, part: str = "law", changes: Any = None) -> str:
    """What a person reads of it; only figures and the words for them differ."""
    case = Case(*FINE.but(part, **(changes or {})))
    state = EMPTY._replace(law=case.law, account=case.account)
    halt = {"reason": "operator", "at_ms": START, "note": "lunch"}
    text = why_words.sentence(rule, why_words.Seen(DOLLARS, state, case.lane, halt, START))
    assert text
    assert len(text) < 80
    return text


@pytest.mark.parametrize("halt", [*Halt][1:])
def test_every_halt_says_who_and_how_it_ends(halt: Halt) -> None:
    since = {"reason": halt.name.lower(), "at_ms": START, "note": "a \x1b[2Jnote"}
    text = why_words.halted(halt, since)
    assert text.startswith(why_words.WHO[halt])
    assert "a \\x1b[2Jnote" in text
    assert "`rrr resume`" in text


def test_a_sale_is_only_asked_whether_another_order_works() -> None:
    sale = Case(*FINE)._replace(change=-1)
    assert [rule.refusal for rule in judged(sale)] == [Refusal.PENDING]
    assert lane().order.kind == 0


async def test_every_signal_of_a_session_is_told_as_the_journal_has_it(path: Path) -> None:
    """Each closing time of an instrument: the refusal, or the order, that its rows hold."""
    await lived(path, until=90, wanted=terms(1, STRICT))
    rows = ask(path, "SELECT number, kind, at_ms, core FROM journal ORDER BY number")
    session_hash, seen = core_hash(), Counter[str]()
    with closing(connect_read_only(path, PAPER)) as connection:
        asked = sessions.named(connection, None)
        for (_, kind, at_ms, core), following in pairwise(rows):
            if kind != 5 or not core.startswith(f"[{at_ms},0,"):
                continue
            found = why(connection, asked, "BTC-USD", at_ms, session_hash)
            assert found["signal"]["at_ms"] == at_ms
            verdict = found["verdict"]
            if verdict["times"] == 1:
                assert following[1] == 13
                assert f",0,{Refusal[verdict['refusal'].upper()].value},1]" in following[3]
            elif verdict["refusal"] is None and found["wish"]["change"]:
                assert following[1] in (11, 12)
            else:
                assert following[1] in (4, 5, 6, 21)
            marks = [rule["mark"] for rule in found["rules"]]
            assert marks == sorted(marks, key=["kept", "broken", "not reached"].index)
            assert marks.count("broken") == bool(verdict["refusal"])
            seen[str(verdict["refusal"])] += 1
            assert max(map(len, why_in_words(found).splitlines())) <= why_words.WIDTH
    assert len(seen) >= 4, seen


async def test_a_refusal_is_told_with_its_figures_and_what_followed_a_purchase(
    path: Path,
) -> None:
    await lived(path, until=90, wanted=terms(1, STRICT))
    (refused,) = ask(
        path,
        "SELECT first_at_ms FROM refusals WHERE reason = 'cooldown' AND instrument = 0 LIMIT 1",
    )
    words = why_in_words(told(path, "btc/usd", refused[0]))
    assert words.startswith(f"BTC-USD at {stamp(refused[0])}, session paper-1\n")
    assert "  verdict  refused: cooldown, until 20" in words
    assert "(a stop filled at" in words.replace("\n" + " " * 11, " ")
    assert "           ✗ cooldown          until 20" in words
    assert "           · exposure " in words
    assert "· not reached: the rule above said no" in words
    (bought,) = ask(
        path,
        "SELECT o.at_ms FROM orders o JOIN fills f USING (session, book, sequence)"
        " WHERE o.instrument = 0 AND o.cause = 'signal' AND o.side = 1 LIMIT 1",
    )
    found = told(path, "BTC", bought[0])
    assert found["verdict"]["refusal"] is None
    assert [one["what"] for one in found["after"]] == ["take", "fill", "stop"]
    assert found["rules"][-1]["rule"] == "order_rate"


async def test_without_a_time_it_is_the_last_signal_and_a_halt_says_who_and_why(
    path: Path,
) -> None:
    async with living(path, terms(1, STRICT)) as engine:
        await engine.take(moments(1)[:40])
        halt = Command(engine.head.at_ms, Verb.HALT)
        await engine.take([Moment((halt,), "the roof is on fire")])
        for moment in moments(1)[40:80]:
            await engine.take([moment])
            found = told(path)
            assert found["at_ms"] == engine.head.at_ms
            if found["verdict"]["refusal"]:
                break
        assert found["verdict"]["refusal"] == "halted"
        assert found["halted"] == {
            "reason": "operator",
            "at_ms": START + 40 * HOUR,
            "note": "the roof is on fire",
        }
        said = " ".join(why_in_words(found).split())
        assert "refused: halted, a person halted (the roof is on fire) since 20" in said
        earlier = told(path, at_ms=START + 30 * HOUR)
        assert earlier["halted"] is None
        assert "roof" not in why_in_words(earlier)


async def test_between_two_closes_it_is_the_one_before(path: Path) -> None:
    await lived(path, until=40)
    at_ms = START + 30 * HOUR
    exact, later = (told(path, at_ms=t) for t in (at_ms, at_ms + HOUR - 1))
    assert exact["signal"] == later["signal"]
    assert exact["signal"]["at_ms"] <= at_ms


async def test_a_close_without_a_candle_is_told(path: Path) -> None:
    await lived(path, until=80)
    closes = ask(path, "SELECT at_ms, core FROM journal WHERE kind = 4 ORDER BY number")
    holes = [at_ms for at_ms, core in closes[1:] if core.endswith(",[0]]")]
    found = told(path, at_ms=holes[0])
    assert found["signal"]["at_ms"] < holes[0]
    assert "the market brought no candle of it" in found["silence"]
    assert "since then: nobody could have one" in why_in_words(found)


async def test_without_a_signal_it_says_why_there_is_none(path: Path) -> None:
    async with living(path) as engine:
        found = told(path)
        assert found["silence"] == "no candle has closed yet"
        assert "signal   none: no candle has closed yet" in why_in_words(found)
        silent = [Moment(tuple(e for e in m.events if isinstance(e, Close))) for m in moments()]
        await engine.take(silent[:10])
        await engine.db.write(
            lambda c: c.execute("INSERT INTO settings VALUES (1, 'trend.slow_candles', '12', '')")
        )
        known = engine.state.lanes[0].candles
        silence = f"warming up: {known} of the 13 candles that an opinion needs"
        assert told(path)["silence"] == silence
        await engine.take(silent[10:30])
        assert "the market's history: learned from, never acted on" in told(path)["silence"]
        assert "warming up" in told(path, at_ms=START + 9 * HOUR)["silence"]


async def test_what_is_not_there_is_named_with_what_is(path: Path) -> None:
    await lived(path, until=5)
    with pytest.raises(NotFound) as unknown:
        told(path, "ETHUSD")
    assert "has no instrument 'ETHUSD'" in unknown.value.what
    assert unknown.value.advice.startswith("It has ETH-USD, ")
    for symbol in ("", "'", "\udcff", "USD"):
        with pytest.raises(NotFound, match="It has"):
            told(path, symbol)
    with pytest.raises(NotFound, match="saw its first close at"):
        told(path, at_ms=START)
    assert told(path, at_ms=1 << 60)["signal"] == told(path)["signal"]


async def test_what_another_core_decided_only_that_one_can_tell(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = terms(1, STRICT)
    monkeypatch.setattr(opening, "core_hash", lambda: "a" * 32)
    await lived(path, until=60, wanted=wanted)
    monkeypatch.undo()
    await lived(path, until=90, wanted=wanted)
    old = told(path, at_ms=START + 60 * HOUR)
    assert old["other_core"]["core_hash"] == "a" * 32
    assert old["verdict"] is None
    assert old["other_core"]["last_refusal"]["reason"] in {r.name.lower() for r in Refusal}
    words = why_in_words(old)
    assert "core aaaaaaaaaaaa of RRR test decided this: only that version" in words
    assert "  refusal  " in words
    assert told(path, at_ms=START + 80 * HOUR)["verdict"]["text"]


async def test_the_fold_begins_at_the_nearest_snapshot(path: Path) -> None:
    async with living(path, terms(1, STRICT)) as engine:
        await engine.take(moments(1)[:60])
        before = told(path)
        await engine.end(False, lambda _: {})
    assert told(path) == before
    async with living(path, terms(1, STRICT)) as engine:
        await engine.take(moments(1)[60:70])
    at_ms = START + 70 * HOUR
    after = told(path, at_ms=at_ms)
    assert after["verdict"]["text"]
    # What stands before the snapshot is not folded again: the chain is the replay's affair.
    spoil(path, "UPDATE journal SET note = 'x' WHERE number = 9")
    assert told(path, at_ms=at_ms) == after
    with pytest.raises(JournalBroken, match="Row 9 "):
        told(path, at_ms=START + 30 * HOUR)


def test_a_simulated_session_says_synthetic() -> None:
    nothing: dict[str, Any] = {"silence": "no candle has closed yet", "signal": None, "at_ms": 0}
    found = nothing | {"instrument": "BTC-USD", "session": "paper-1", "synthetic": True}
    assert why_in_words(found).splitlines()[0] == "BTC-USD, session paper-1, SYNTHETIC"


async def test_a_model_that_took_over_is_named_and_so_is_what_the_guard_did(path: Path) -> None:
    """A life with touches, a takeover, a guard's halt and its release."""
    model = 0x3F2A91C04B1D

    def known(connection: sqlite3.Connection) -> None:
        sessions.know_model(connection, model, "model 3f2a91c04b1d", START, "{}")

    async with living(path, terms(1, STRICT)) as engine:
        made = moments(1)
        await engine.take(made[:40])
        for number, moment in enumerate(made[40:80]):
            close, *spoken = moment.events
            assert isinstance(close, Close)
            between: list[Any] = [] if number else [Adopted(close.at_ms, model)]
            touches = [
                Touch(close.at_ms, candle.instrument, candle.close - 1_000, candle.close + 1_000)
                for candle in close.candles
            ]
            mine = [one._replace(model=model) for one in spoken if isinstance(one, Signal)]
            events = (close, *touches, *between, *mine)
            await engine.take([Moment(events, also=None if number else known)])
        at_ms = engine.head.at_ms
        found = told(path)
        assert found["signal"]["name"] == "model 3f2a91c04b1d"
        assert "signal   model 3f2a91c04b1d (unproven) " in why_in_words(found)
        assert told(path, at_ms=START + 30 * HOUR)["signal"]["name"] == "baseline"
        await engine.take([Moment((Command(at_ms, Verb.GUARD),), "stale data")])
        after = [one["text"] for one in told(path)["after"]]
        assert after[-1] == "halt: guard (stale data)"
        await engine.take([Moment((Command(at_ms, Verb.RELEASE),), "all is well")])
        assert told(path)["after"][-1]["text"] == "released (all is well)"
