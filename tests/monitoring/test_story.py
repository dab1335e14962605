"""What people and logs are told: each day once, at a human pace every decision with its reason."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.events import Adopted, Close, Command, Limits, Listing, Signal, Touch, Verb
from rrr.core.ledger import equity
from rrr.core.market import BPS, Candle, Instrument
from rrr.core.orders import Cause, Kind, Rejection, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import Law, Sizing
from rrr.database.journal import DAY_MS
from rrr.database.sessions import Unit
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.story import Story, Trip
from rrr.monitoring.words import REFUSALS, REJECTIONS, money
from tests.builders import BTC, HOUR, PRICE, QUANTA, START, Session, candle, law, order, report
from tests.builders import session as funded
from tests.storm.lives import ask, living, moments, terms

UNIT: Final = Unit("made", "BTC-USD", "BTC", "USD", 4, 8, 0, "made up")
MIDNIGHT: Final = START // DAY_MS * DAY_MS
MODEL: Final = 0x3F2A91C04B1D
UNDER: Final = law(cooldown_ms=9 * HOUR)


class Told:
    """A story, and the session that it tells of."""

    def __init__(self, *, every: bool = True, of: Instrument = BTC, under: Law = UNDER) -> None:
        self.session: Session = funded(of, under=under)
        self.session.at_ms = MIDNIGHT
        self.story = Story([UNIT], self.session.world.state, every_decision=every)

    def meet(self, *events: Any, reason: str = "") -> list[Note]:
        """What is told aloud of these events."""
        record = self.session.meet(*events)
        notes = self.story.tell(record, self.session.world.state, reason)
        assert all(json.loads(json.dumps(note.detail)) == note.detail for note in notes)
        return [note for note in notes if note.aloud]

    def close(self, *candles: Candle, signal: int | None = None, hours: int = 1) -> list[Note]:
        """The notes of one closing time and the signal after it."""
        opened = self.session.at_ms + (hours - 1) * HOUR
        self.session.at_ms = opened + HOUR
        told: list[Any] = [Close(opened + HOUR, opened, candles or (candle(PRICE),), ())]
        if signal is not None:
            told.append(Signal(opened + HOUR, 0, signal, self.session.account.model))
        return self.meet(*told)

    def command(self, verb: Verb, reason: str = "") -> list[Note]:
        return self.meet(Command(self.session.at_ms, verb), reason=reason)


def names(notes: Sequence[Note]) -> list[str]:
    return [note.name for note in notes]


def bought(told: Told) -> list[Note]:
    """A position at `PRICE` under its stop; what its fill told."""
    told.close()
    told.close(signal=10_000)
    return told.close()


def test_a_day_is_told_once_at_its_midnight() -> None:
    told = Told(every=False)
    notes = [told.close() for _ in range(48)]
    assert [len(some) for some in notes] == [*([0] * 23), 1] * 2
    (first,), (second,) = notes[23], notes[47]
    assert first.at_ms == MIDNIGHT + DAY_MS
    assert re.fullmatch(
        r"day \S+  equity +1,000,000\.00 USD \(\+0\.00%\) .+ fills  0 .+\(baseline\)", first.text
    )
    assert first.detail["day"] < second.detail["day"]
    assert first.detail["equity"] == equity(told.session.account) / QUANTA


def test_a_day_whose_midnight_has_no_candle_is_told_with_the_next() -> None:
    told = Told(every=False)
    for _ in range(20):
        assert told.close() == []
    (late,) = told.close(hours=10)
    assert late.at_ms == MIDNIGHT + DAY_MS
    assert [len(told.close()) for _ in range(18)] == [*([0] * 17), 1]


def test_at_full_speed_only_days_halts_and_takeovers_are_told() -> None:
    told = Told(every=False)
    assert bought(told) == []
    assert told.session.lane.stop.kind == Kind.STOP
    assert names(told.meet(Adopted(told.session.at_ms, MODEL))) == ["took_over"]
    assert names(told.command(Verb.HALT)) == ["halted"]
    assert names(told.command(Verb.RESUME)) == ["resumed"]


def test_at_a_human_pace_every_decision_says_why() -> None:
    told = Told()
    assert told.close() == []
    signal, sent = told.close(signal=4_200)
    assert signal.text == "signal BTC-USD +42 % long → buy  (baseline)"
    assert signal.detail["conviction_bps"] == 4_200
    assert re.fullmatch(
        r"order buy [\d.,]+ BTC-USD for at most 40,400  \(signal, baseline\)", sent.text
    )
    fill, stop = told.close()
    assert re.fullmatch(
        r"BUY  [\d.,]+ BTC-USD at [\d,.]+ for [\d,.]+ USD, fee [\d.,]+ USD  \(signal, baseline\)",
        fill.text,
    )
    assert re.fullmatch(
        r"stop [\d.,]+ BTC-USD at [\d,.]+, target [\d,.]+ watched  \(baseline\)", stop.text
    )
    assert [note.log for note in (signal, sent, fill, stop)] == ["trading"] * 4
    assert fill.detail["quantity"] == stop.detail["quantity"] == told.session.lane.quantity / 10**8
    assert fill.detail["sequence"] == sent.detail["sequence"] == 1


def test_what_a_round_trip_brought_stands_beside_the_sale_that_ends_it() -> None:
    told = Told()
    buy = bought(told)[0]
    assert "P&L" not in buy.text
    before = told.session.account.invested
    # The price falls through the stop.
    sale = told.close(candle(PRICE * 9 // 10, open=PRICE))[0]
    profit = told.session.account.cash - before
    spent = buy.detail["notional"] + buy.detail["fee"]
    ratio = profit / QUANTA / spent
    assert profit < 0
    assert f", P&L {money(profit, '+')} USD ({ratio:+.2%})  (stop, baseline)" in sale.text
    assert sale.text.startswith("SELL ")
    assert sale.detail["profit"] == profit / QUANTA
    assert sale.detail["profit_ratio"] == pytest.approx(ratio, abs=1e-8)
    assert sale.detail["cause"] == "stop"


def test_a_refusal_is_told_once_in_words() -> None:
    told = Told()
    bought(told)
    told.close(candle(PRICE * 9 // 10, open=PRICE))
    (refused,) = told.close(candle(PRICE * 9 // 10), signal=10_000)
    assert refused.text == (
        "refused BTC-USD: cooldown, it is left alone for a while after its stop  (baseline)"
    )
    assert refused.detail["refusal"] == "cooldown"
    assert refused.detail["conviction_bps"] == 10_000
    assert told.close(candle(PRICE * 9 // 10), signal=10_000) == []
    assert told.session.lane.refused == 2


def test_what_leads_nowhere_is_silent() -> None:
    told = Told()
    assert told.close(signal=0) == []
    at_ms = told.session.at_ms
    assert told.meet(Touch(at_ms, 0, PRICE - 100, PRICE + 100)) == []


def test_every_reason_has_its_words() -> None:
    assert REFUSALS.keys() == {*Refusal} - {Refusal.NONE}
    assert REJECTIONS.keys() == {*Rejection} - {Rejection.NONE}
    sentences = [*REFUSALS.values(), *REJECTIONS.values()]
    assert len({*sentences}) == len(sentences)
    assert all(re.fullmatch(r"[a-z].*[^.]", sentence) for sentence in sentences)


def test_an_order_that_its_collar_stopped_says_so_and_is_tried_again_wider() -> None:
    told = Told()
    told.close()
    told.close(signal=10_000)
    (unfilled,) = told.close(candle(PRICE * 2))
    assert unfilled.text == (
        "not filled BTC-USD: collar, the candle opened beyond its limit  (signal, baseline)"
    )
    told = Told(under=law(stop_bps=9_000))
    bought(told)
    sent = told.close(signal=0)[-1]
    assert sent.text.startswith("order sell ")
    assert " for at least 39,600  (signal, baseline)" in sent.text
    unfilled, again, *_ = told.close(candle(PRICE * 98 // 100))
    assert "collar" in unfilled.text
    assert again.text.endswith("for at least 39,200  (signal, try 2, baseline)")
    assert again.detail["attempt"] == 1


def test_a_purchase_that_a_halt_called_back_says_so() -> None:
    told = Told()
    told.close()
    told.close(signal=10_000)
    halted, back = told.command(Verb.HALT, "lunch")
    assert halted.text == "HALT: operator (lunch): no new risk until `rrr resume`"
    assert back.text == "called back BTC-USD  (signal, baseline)"


def test_what_the_venue_rejects_is_a_warning() -> None:
    told = Told()
    wrong = report(Status.REJECTED, order(), rejection=int(Rejection.PRICE_GRID))
    (note,) = told.story.tell([wrong], told.session.world.state)
    assert note.text.startswith("the venue rejected BTC-USD: price_grid, its price stands on no")
    assert note.level == Level.WARNING


def test_every_halt_says_whose_it_is_and_what_ends_it() -> None:
    told = Told(under=law(drawdown_max_bps=10, stop_bps=5_000))
    bought(told)
    told.close(candle(PRICE * 101 // 100))
    assert told.session.account.peak > told.session.account.invested

    def words(notes: list[Note]) -> str:
        assert notes[0].name in ("halted", "resumed", "released")
        assert (notes[0].level == Level.WARNING) == (notes[0].name == "halted")
        return notes[0].text

    assert words(told.command(Verb.GUARD, "disk full")) == (
        "HALT: guard (disk full): no new risk until all is well, or `rrr resume`"
    )
    assert words(told.command(Verb.RELEASE, "room again")) == (
        "released (room again): the guard takes back its halt"
    )
    fallen = [note for note in told.close(candle(PRICE * 9 // 10)) if note.name == "halted"]
    account = told.session.account
    share = (account.peak - equity(account)) / account.peak
    assert words(fallen) == (
        f"HALT: drawdown ({share:.2%} below the peak, limit {10 / BPS:.2%}):"
        " no new risk until `rrr resume`"
    )
    assert words(told.command(Verb.RESUME)) == (
        f"resumed: the new peak is {money(equity(told.session.account))}"
    )
    panic = told.command(Verb.PANIC, "war")
    assert words(panic) == "HALT: panic (war): all is sold, and no new risk until `rrr resume`"
    assert panic[-1].detail["cause"] == Cause.PANIC.name.lower()


def test_what_people_do_to_the_book_is_in_the_audit_too() -> None:
    told = Told()
    told.close()
    record = told.session.meet(Command(told.session.at_ms, Verb.HALT))
    aloud, quiet = told.story.tell(record, told.session.world.state, "tired")
    assert (aloud.log, aloud.aloud) == ("trading", True)
    assert quiet == aloud._replace(log="audit", aloud=False)
    assert quiet.detail["reason"] == "tired"


def test_the_mark_follows_the_takeover() -> None:
    told = Told()
    told.close()
    told.close(signal=10_000)
    opened, told.session.at_ms = told.session.at_ms, told.session.at_ms + HOUR
    close = Close(opened + HOUR, opened, (candle(PRICE),), ())
    fill, stop, took_over = told.meet(close, Adopted(opened + HOUR, MODEL))
    assert took_over.text == "model 3f2a91c04b1d takes over from the baseline (unproven)"
    assert took_over.at_ms == opened + HOUR
    assert took_over.detail["model"] == "model 3f2a91c04b1d"
    # What the baseline ordered stays its own; what follows is the model's.
    assert fill.text.endswith("(signal, baseline)")
    assert stop.text.endswith("(baseline)")
    signal, sent = told.close(signal=0)
    assert signal.text == "signal BTC-USD 0 % flat → sell  (model 3f2a91c04b1d, unproven)"
    assert sent.text.endswith("(signal, model 3f2a91c04b1d, unproven)")
    assert told.meet(Adopted(told.session.at_ms, MODEL)) == []
    (back,) = told.meet(Adopted(told.session.at_ms, 0))
    assert back.text == "the baseline takes over from model 3f2a91c04b1d"


def test_a_model_has_the_name_that_it_was_given_meanwhile() -> None:
    told = Told()
    called: dict[int, str] = {}
    told.story.names = called
    called[MODEL] = "model ours"
    (took_over,) = told.meet(Adopted(told.session.at_ms, MODEL))
    assert took_over.text.startswith("model ours takes over")


def test_a_fee_in_the_coin_says_so_exactly() -> None:
    told = Told(of=BTC._replace(fee_in_base=1))
    fill = bought(told)[0]
    quantity, fee = re.search(r"BUY  ([\d.,]+) .+ fee ([\d.,]+) BTC", fill.text).groups()  # type: ignore[union-attr]
    exact = told.session.lane.quantity / QUANTA
    assert float(quantity.replace(",", "")) - float(fee.replace(",", "")) == exact
    assert fill.detail["fee_base"] == float(fee)


def test_a_story_that_begins_later_knows_what_works_and_what_is_held() -> None:
    told = Told()
    told.close()
    told.close(signal=10_000)
    told.story = Story([UNIT], told.session.world.state, every_decision=True)
    fill, _ = told.close()
    assert fill.text.endswith("(signal, baseline)")
    told.story = Story([UNIT], told.session.world.state, every_decision=True)
    sale = told.close(candle(PRICE * 9 // 10, open=PRICE))[0]
    profit = told.session.account.cash - told.session.account.invested
    # What was spent before is not known: no share of it is made up.
    assert sale.text.endswith(f", P&L {money(profit, '+')} USD  (stop, baseline)")


def test_a_trip_ends_below_one_lot_and_a_share_of_what_was_not_seen_is_not_made_up() -> None:
    buy = report(Status.FILLED, order(), quantity=3_000, notional=900, fee=9)
    sale = report(Status.FILLED, order(side=int(Side.SELL)), quantity=2_000, notional=700, fee=7)
    rest = sale._replace(quantity=1_000, notional=350)
    profit = 700 + 350 - 2 * 7 - 909
    for known, ratio in ((0, round(profit / 909, 8)), (None, None)):
        trip = Trip(0, 0, known)
        assert trip.add(buy, 1_000) is None
        assert trip.add(sale, 1_000) is None  # one lot is held
        assert trip.add(rest, 1_000) == (profit, ratio)
    told = Told()
    bought(told)
    story = Story([UNIT], told.session.world.state, every_decision=True)
    assert story.trips[0].spent is None
    assert told.story.trips[0].spent == story.trips[0].paid > 0


def test_a_position_that_only_shrinks_or_grows_says_so() -> None:
    told = Told(under=law(order_notional_max=100_000 * QUANTA))
    bought(told)
    grows = told.close(signal=10_000)[0]
    assert grows.text == "signal BTC-USD +100 % long → buy more  (baseline)"
    told.close()
    shrinks = told.close(candle(PRICE * 99 // 100), signal=10)[0]
    assert shrinks.text == "signal BTC-USD +0.1 % long → sell some  (baseline)"


def test_a_stop_that_is_changed_where_it_rests_says_what_it_is_now() -> None:
    told = Told(under=UNDER._replace(stop_amends=1, sizing=int(Sizing.EQUITY)))
    told.close(signal=10_000)
    told.close(signal=5_000)
    (now,) = [one for one in told.close(signal=2_500) if one.name == "amended"]
    stop = told.session.lane.stop
    assert now.text.startswith("stop BTC-USD is now ")
    assert now.detail["sequence"] == stop.sequence
    refused = report(Status.AMENDED, stop, quantity=1, price=stop.price, rejection=1)
    (still,) = told.story.tell([refused], told.session.world.state)
    assert "still (" in still.text


def test_an_exit_at_the_target_is_not_laid_to_a_signal() -> None:
    told = Told(under=law(band_bps=2_500))
    bought(told)
    held = told.session.lane
    assert told.close(candle(held.mark), signal=10_000) == []
    (sent,) = told.close(candle(held.target_price, open=held.mark))
    assert sent.text.endswith("(target, baseline)")


def test_an_exit_that_is_tried_again_is_not_laid_to_a_later_signal() -> None:
    told = Told()
    later = Signal(START, 0, 10_000, 0)
    again = order(side=int(Side.SELL), cause=int(Cause.SIGNAL), attempt=1)
    (note,) = told.story.tell([later, again], told.session.world.state)
    assert note.name == "order"
    assert note.text.endswith("(signal, try 2, baseline)")


def test_a_fill_of_an_order_that_nobody_knows_claims_no_cause() -> None:
    told = Told()
    bought(told)
    told.story.working.clear()
    sale = told.close(candle(PRICE * 9 // 10, open=PRICE))[0]
    assert sale.text.endswith("(ordered earlier, baseline)")
    assert sale.detail["cause"] is None


def test_new_limits_say_what_changed() -> None:
    told = Told()
    at_ms = told.session.at_ms
    (note,) = told.meet(Limits(at_ms, UNDER._replace(exposure_max_bps=1_000)))
    was = UNDER.exposure_max_bps
    assert note.text == f"new limits in force: exposure_max_bps {was:,} → 1,000"
    assert note.detail == {"exposure_max_bps": 1_000}
    (note,) = told.meet(Listing(at_ms, BTC._replace(version=2, tick=200)))
    assert note.text == "new rules of BTC-USD in force"


def test_warming_up_is_one_line() -> None:
    note = Told().story.warmed(600, MIDNIGHT, MIDNIGHT + 600 * HOUR)
    assert note.text.startswith("warmed up on 600 closing times, ")
    assert note.text.endswith("Z: nothing was decided on them")
    assert note.at_ms == MIDNIGHT + 600 * HOUR


@pytest.mark.parametrize("restart", [0, 90])
async def test_profits_are_those_of_the_tables_and_all_that_ended_is_forgotten(
    tmp_path: Path, restart: int
) -> None:
    path = tmp_path / "paper.db"
    wanted, notes = terms(), list[Note]()
    async with living(path) as engine:
        story = Story(wanted.units, engine.state, every_decision=True)
        for number, moment in enumerate(moments()):
            if restart and number == restart:
                story = Story(wanted.units, engine.state, every_decision=True)
            batch = await engine.take([moment])
            for record, state in batch.told:
                notes += story.tell(record, state)
        lanes = engine.state.lanes
    fills = [note.detail for note in notes if note.name == "fill"]
    tables = ask(path, "SELECT sequence, profit, fee, fee_grains FROM fills ORDER BY number")
    assert len(fills) == len(tables) > 50
    for told, (sequence, profit, fee, fee_grains) in zip(fills, tables, strict=True):
        assert told["sequence"] == sequence
        assert told.get("profit") == (None if profit is None else profit / QUANTA)
        assert (told["fee"], told["fee_base"]) == (fee / QUANTA, fee_grains / 10**8)
        assert told["cause"] is not None
    ratios = [told["profit_ratio"] for told in fills if "profit" in told]
    assert len([ratio for ratio in ratios if ratio is None]) <= (len(lanes) if restart else 0)
    orders = [one for lane in lanes for one in (lane.order, lane.stop) if one.kind]
    assert story.working.keys() == {one.sequence for one in orders}


def test_a_partial_fill_leaves_the_rest_working() -> None:
    told = Told()
    state = told.session.world.state
    sent = order(sequence=7, quantity=10_000, cause=int(Cause.SIGNAL))
    half = report(Status.FILLED, sent, quantity=5_000, price=PRICE, notional=200, fee=1)
    late = half._replace(status=int(Status.REJECTED), quantity=0, rejection=5)
    notes = told.story.tell([sent, half, late, half], state)
    assert [note.text.endswith("(signal, baseline)") for note in notes] == [True] * 4
    assert told.story.working == {}
