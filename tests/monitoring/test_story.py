"""What the terminal says: each day once, and at a human pace every decision with its reason."""

import re
from typing import Final

from rrr.core.events import Close, Command, Verb
from rrr.core.market import Instrument
from rrr.core.orders import Kind
from rrr.database.journal import DAY_MS
from rrr.database.sessions import Unit
from rrr.monitoring.story import Story
from tests.builders import BTC, HOUR, PRICE, QUANTA, START, Session, candle, law, session

UNIT: Final = Unit("made", "BTC-USD", "BTC", "USD", 4, 8, 0, "made up")
MIDNIGHT: Final = START // DAY_MS * DAY_MS


class Told:
    """A story, and the session that it tells of."""

    def __init__(self, *, every: bool, of: Instrument = BTC) -> None:
        self.story = Story([UNIT], "baseline", every)
        self.session: Session = session(of, under=law(cooldown_ms=9 * HOUR))
        self.session.at_ms = MIDNIGHT

    def close(self, *candles: object, signal: int = 0, hours: int = 1) -> list[str]:
        """The lines of one closing time and the signal after it."""
        opened = self.session.at_ms + (hours - 1) * HOUR
        self.session.at_ms = opened + HOUR
        of = candles or (candle(PRICE),)
        record = self.session.meet(Close(opened + HOUR, opened, of, ()))  # type: ignore[arg-type]
        if signal:
            record = [*record, *self.session.signal(signal)]
        return self.story.tell(record, self.session.world.state)


def test_a_day_is_told_once_at_its_midnight() -> None:
    told = Told(every=False)
    lines = [told.close() for _ in range(48)]
    assert [len(some) for some in lines] == [*([0] * 23), 1] * 2
    date = re.escape(lines[23][0][:10])
    assert re.fullmatch(rf"{date}  equity +1,000,000\.00 USD .+ fills  0 .+baseline", lines[23][0])
    assert lines[23][0][:10] < lines[47][0][:10]


def test_a_day_whose_midnight_has_no_candle_is_told_with_the_next() -> None:
    told = Told(every=False)
    for _ in range(20):
        assert told.close() == []
    late = told.close(hours=10)
    assert len(late) == 1
    assert [len(told.close()) for _ in range(18)] == [*([0] * 17), 1]


def test_at_full_speed_only_days_and_halts_are_told() -> None:
    told = Told(every=False)
    told.close()
    assert told.close(signal=10_000) == []
    assert told.close() == []
    assert told.session.lane.stop.kind == Kind.STOP
    state = told.session.world.state
    halt = told.session.meet(Command(told.session.at_ms, Verb.HALT))
    (line,) = told.story.tell(halt, state)
    assert line.endswith("HALT: operator: no new risk until `rrr resume`")
    resume = told.session.meet(Command(told.session.at_ms, Verb.RESUME))
    (line,) = told.story.tell(resume, told.session.world.state)
    assert "resumed: the new peak is " in line


def test_at_a_human_pace_every_decision_says_why() -> None:
    told = Told(every=True)
    told.close()
    told.close(signal=10_000)
    bought = told.close()
    assert re.search(r"BUY  [\d.,]+ BTC-USD at [\d,.]+ for [\d,.]+ USD, fee [\d.,]+ USD", bought[0])
    assert bought[0].endswith("(signal, baseline)")
    assert re.search(
        r"stop [\d.,]+ BTC-USD at [\d,.]+, target [\d,.]+ watched  \(baseline\)$", bought[1]
    )
    # The price falls through the stop; the next wish meets the cool-down.
    sold = told.close(candle(PRICE * 9 // 10, open=PRICE), signal=10_000)
    assert "SELL" in sold[0]
    assert sold[0].endswith("(stop, baseline)")
    assert sold[1].endswith("refused BTC-USD: cooldown  (baseline)")
    again = told.close(candle(PRICE * 9 // 10), signal=10_000)
    assert told.session.lane.refused == 2
    assert again == []


def test_a_fee_in_the_coin_says_so_exactly() -> None:
    told = Told(every=True, of=BTC._replace(fee_in_base=1))
    told.close()
    told.close(signal=10_000)
    (bought, *_) = told.close()
    quantity, fee = re.search(r"BUY  ([\d.,]+) .+ fee ([\d.,]+) BTC", bought).groups()  # type: ignore[union-attr]
    exact = told.session.lane.quantity / QUANTA
    assert float(quantity.replace(",", "")) - float(fee.replace(",", "")) == exact


def test_an_order_from_before_a_start_is_told_without_its_cause() -> None:
    told = Told(every=True)
    told.close()
    told.close(signal=10_000)
    told.story.causes.clear()
    (bought, *_) = told.close()
    assert bought.endswith("(ordered before this start, baseline)")
