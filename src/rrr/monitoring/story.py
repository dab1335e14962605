"""What happened is told once, with its reason: signals that led somewhere, orders, fills, halts.

Records enter, notes leave. At a human pace every decision is told; at full speed the days go by and
only they are, with halts and takeovers. Each line names who had the opinion behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rrr.core.events import (
    Adopted,
    Close,
    Command,
    Decision,
    Event,
    Halted,
    Limits,
    Listing,
    Refused,
    Signal,
    Touch,
    Verb,
)
from rrr.core.ledger import equity
from rrr.core.market import BPS, QUANTA, lots
from rrr.core.orders import Cause, Kind, Order, Rejection, Report, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import Account, Halt, State
from rrr.database.journal import DAY_MS, day
from rrr.database.sessions import Unit
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import (
    REFUSALS,
    REJECTIONS,
    conviction,
    count,
    figure,
    money,
    opinion,
    stamp,
    utc,
)

UNTIL_RESUMED = "no new risk until `rrr resume`"
UNKNOWN = "ordered earlier"


@dataclass(slots=True)
class Working:
    """An order that has not ended: why it was sent, by whose opinion, and how much of it filled."""

    cause: str
    model: int
    quantity: int
    filled: int


@dataclass(slots=True)
class Trip:
    """From flat to flat in one instrument, as `database.ledger` counts it."""

    quantity: int
    paid: int
    spent: int | None = 0  # on purchases; None: some of it before this start

    def add(self, report: Report, lot: int) -> tuple[int, float | None] | None:
        """The P&L of the round trip that this fill ends, and its share of what was spent."""
        money = report.side * report.notional + report.fee
        self.paid += money
        self.quantity += report.side * report.quantity - report.fee_grains
        if report.side == Side.BUY and self.spent is not None:
            self.spent += money
        if self.quantity >= lot:
            return None
        profit, spent = -self.paid, self.spent
        self.paid = self.spent = 0
        return profit, round(profit / spent, 8) if spent else None


class Story:
    """Remembers what works and what is held, so that a fill can say why, and what it brought.

    `names` says what to call a model by its id; it may grow while the story is told.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        state: State,
        *,
        every_decision: bool,
        names: Mapping[int, str] | None = None,
    ) -> None:
        self.units, self.every = units, every_decision
        self.names: Mapping[int, str] = {} if names is None else names
        self.model, self.law = state.account.model, state.law
        self.fills = self.refusals = 0
        self.day: int | None = None  # whose line is not told yet
        self.account = state.account  # at the last close
        self.opinions: dict[int, Signal] = {}  # that led nowhere yet
        self.working: dict[int, Working] = {}
        self.trips: dict[int, Trip] = {}
        for i, lane in enumerate(state.lanes):
            held = lane.quantity >= state.instruments[i].lot
            self.trips[i] = Trip(lane.quantity, lane.paid, None if held else 0)
            for order in (lane.order, lane.stop):
                if order.kind:
                    self._sent(order)

    def tell(
        self, record: Sequence[Event | Decision], state: State, reason: str = ""
    ) -> list[Note]:
        """What one event caused, with the state that it left, and the reason that a person gave."""
        notes: list[Note] = []
        at_ms = verb = 0
        for item in record:
            match item:
                case Touch():
                    continue
                case Signal() if not self.every:
                    continue
                case Close():
                    notes += self._days(item, state)
                case Report() if item.status == Status.FILLED:
                    self.fills += 1
                case Refused():
                    self.refusals += 1
                case Adopted():
                    notes += self._adopted(item)
                case Command():
                    verb = item.verb
                case Halted():
                    notes += self._halted(item, state, verb, reason)
                case _:
                    pass
            if self.every:
                # An order leaves when the event before it enters.
                at_ms = at_ms if isinstance(item, Order) else item.at_ms
                notes += self._decided(item, at_ms, state)
        return notes

    def warmed(self, closes: int, from_ms: int, to_ms: int) -> Note:
        """What was learned from and never traded on: all of it in one line."""
        text = f"warmed up on {count(closes, 'closing time')}, {stamp(from_ms)} to {stamp(to_ms)}"
        detail = {"closes": closes, "from_ms": from_ms, "to_ms": to_ms}
        return Note("trading", "warmed", f"{text}: nothing was decided on them", to_ms, detail)

    def name(self, model: int) -> str:
        return self.names.get(model) or opinion(model)

    def _who(self, model: int) -> str:
        return self.name(model) + (", unproven" if model else "")

    def _days(self, close: Close, state: State) -> Iterator[Note]:
        """The line of a day, at its midnight; or late, where the candles before it are missing."""
        today = day(close.at_ms)
        if self.day is not None and self.day != today:
            yield self._ended(self.day)
        self.day, self.account = today, state.account
        if close.at_ms % DAY_MS == 0:
            yield self._ended(today)

    def _ended(self, ended: int) -> Note:
        date, now, account = utc(ended * DAY_MS)[:10], equity(self.account), self.account
        gain_ratio = now / account.invested - 1 if account.invested else 0.0
        text = (
            f"day {date}  equity {money(now):>10} {self.units[0].quote} ({gain_ratio:+.2%})"
            f"  drawdown {_fallen(account):6.2%}"
            f"  fills {self.fills:2}  refusals {self.refusals:3}  ({self._who(self.model)})"
        )
        detail = {
            "day": date,
            "equity": now / QUANTA,
            "gain_ratio": round(gain_ratio, 8),
            "drawdown_ratio": round(_fallen(account), 8),
            "fills": self.fills,
            "refusals": self.refusals,
            "model": self.name(self.model),
        }
        self.day, self.fills, self.refusals = None, 0, 0
        return Note("trading", "day", text, (ended + 1) * DAY_MS, detail)

    def _adopted(self, item: Adopted) -> Iterator[Note]:
        if item.model == self.model:
            return
        before, self.model = self.name(self.model), item.model
        new = self.name(item.model)
        proof = " (unproven)" if item.model else ""
        text = f"{_the(new)} takes over from {_the(before)}{proof}"
        detail = {"model": new, "before": before, "proven": False}
        yield from _audited(Note("trading", "took_over", text, item.at_ms, detail))

    def _halted(self, item: Halted, state: State, verb: int, reason: str) -> Iterator[Note]:
        why = f" ({reason})" if reason else ""
        detail: dict[str, Any] = {"halt": Halt(item.halt).name.lower(), "reason": reason}
        detail["equity"] = equity(state.account) / QUANTA
        name, level = "halted", Level.WARNING
        match item.halt:
            case Halt.NONE if verb == Verb.RELEASE:
                name, level = "released", Level.INFO
                text = f"released{why}: the guard takes back its halt"
            case Halt.NONE:
                name, level = "resumed", Level.INFO
                text = f"resumed{why}: the new peak is {money(equity(state.account))}"
            case Halt.DRAWDOWN:
                fallen, limit = _fallen(state.account), state.law.drawdown_max_bps / BPS
                seen = f"{fallen:.2%} below the peak, limit {limit:.2%}"
                text = f"HALT: drawdown ({seen}): {UNTIL_RESUMED}"
            case Halt.GUARD:
                text = f"HALT: guard{why}: no new risk until all is well, or `rrr resume`"
            case Halt.PANIC:
                text = f"HALT: panic{why}: all is sold, and {UNTIL_RESUMED}"
            case _:
                text = f"HALT: operator{why}: {UNTIL_RESUMED}"
        yield from _audited(Note("trading", name, text, item.at_ms, detail, level))

    def _decided(self, item: Event | Decision, at_ms: int, state: State) -> Iterator[Note]:
        """What only a human pace leaves time to read."""
        match item:
            case Signal():
                self.opinions[item.instrument] = item
            case Order():
                yield from self._ordered(item, at_ms, state)
            case Report():
                yield from self._reported(item, state)
            case Refused():
                signal = self.opinions.pop(item.instrument, None)
                if item.times == 1:
                    yield self._refused(item, signal)
            case Limits():
                yield self._limits(item)
            case Listing() if item.instrument.version > 1:
                symbol = self.units[item.instrument.id].symbol
                detail = {"symbol": symbol} | item.instrument._asdict()
                yield Note("trading", "listing", f"new rules of {symbol} in force", at_ms, detail)
            case _:
                pass

    def _ordered(self, order: Order, at_ms: int, state: State) -> Iterator[Note]:
        unit, lane = self.units[order.instrument], state.lanes[order.instrument]
        self._sent(order)
        side = verb = Side(order.side).name.lower()
        detail = {
            "symbol": unit.symbol,
            "sequence": order.sequence,
            "side": side,
            "quantity": _number(order.quantity, unit.grains),
            "price": _number(order.price, unit.points),
            "cause": Cause(order.cause).name.lower(),
            "attempt": order.attempt,
            "model": self.name(self.model),
        }
        quantity = f"{figure(order.quantity, unit.grains)} {unit.symbol}"
        price = figure(order.price, unit.points)
        if order.kind == Kind.STOP:
            # What the same candle stopped out has no target left.
            target = lane.target_price
            watched = f", target {figure(target, unit.points)} watched" if target else ""
            text = f"stop {quantity} at {price}{watched}  ({self._who(self.model)})"
            detail["target"] = _number(target, unit.points) if target else None
            yield Note("trading", "stop", text, at_ms, detail)
            return
        signal = self.opinions.pop(order.instrument, None)
        if signal is not None and order.cause == Cause.SIGNAL and order.attempt == 0:
            detail["conviction_bps"] = signal.conviction_bps
            held = lots(state.instruments[order.instrument], lane.quantity)
            if order.side == Side.BUY:
                verb += " more" if held else ""
            elif order.quantity < held:
                verb += " some"
            text = f"signal {unit.symbol} {conviction(signal.conviction_bps)} → {verb}"
            yield Note("trading", "signal", f"{text}  ({self._who(self.model)})", at_ms, detail)
        most = "most" if order.side == Side.BUY else "least"
        text = f"order {side} {quantity} for at {most} {price}  ({self._why(order.sequence)})"
        yield Note("trading", "order", text, at_ms, detail)

    def _reported(self, report: Report, state: State) -> Iterator[Note]:
        if report.status == Status.FILLED:
            yield self._filled(report, state.instruments[report.instrument].lot)
        elif report.status == Status.REJECTED:
            yield self._ended_unfilled(report, "rejected", "the venue rejected", Level.WARNING)
        elif report.status == Status.CANCELLED and report.rejection:
            yield self._ended_unfilled(report, "unfilled", "not filled", Level.INFO)
        elif report.status == Status.CANCELLED and report.side == Side.BUY:
            yield self._ended_unfilled(report, "unfilled", "called back", Level.INFO)
        elif report.status == Status.AMENDED:
            yield self._amended(report)
        if working := self.working.get(report.sequence):
            if report.status == Status.AMENDED:
                working.quantity = report.quantity
            elif report.status == Status.FILLED:
                working.filled += report.quantity
            # Too late to call back: its fill is on its way.
            late = report.rejection == Rejection.UNKNOWN_ORDER
            ended = report.status in (Status.CANCELLED, Status.REJECTED) and not late
            if ended or working.filled >= working.quantity:
                del self.working[report.sequence]

    def _filled(self, report: Report, lot: int) -> Note:
        unit = self.units[report.instrument]
        fee = f"{money(report.fee)} {unit.quote}"
        if report.fee_grains:
            fee = f"{figure(report.fee_grains, unit.grains)} {unit.base}"
        detail = self._of(report) | {
            "side": Side(report.side).name.lower(),
            "quantity": _number(report.quantity, unit.grains),
            "price": _number(report.price, unit.points),
            "notional": report.notional / QUANTA,
            "fee": report.fee / QUANTA,
            "fee_base": _number(report.fee_grains, unit.grains),
        }
        pnl = ""
        if trip := self.trips.setdefault(report.instrument, Trip(0, 0)).add(report, lot):
            profit, ratio = trip
            pnl = f", P&L {money(profit, '+')} {unit.quote}"
            pnl += "" if ratio is None else f" ({ratio:+.2%})"
            detail |= {"profit": profit / QUANTA, "profit_ratio": ratio}
        text = (
            f"{Side(report.side).name:<4} {figure(report.quantity, unit.grains)} {unit.symbol}"
            f" at {figure(report.price, unit.points)} for {money(report.notional)} {unit.quote},"
            f" fee {fee}{pnl}  ({self._why(report.sequence)})"
        )
        return Note("trading", "fill", text, report.at_ms, detail)

    def _amended(self, report: Report) -> Note:
        unit, no = self.units[report.instrument], Rejection(report.rejection)
        now = f"{figure(report.quantity, unit.grains)} at {figure(report.price, unit.points)}"
        stays = f"still ({REJECTIONS[no]})" if no else "now"
        text = f"stop {unit.symbol} is {stays} {now}  ({self._why(report.sequence)})"
        detail = self._of(report) | {"rejection": no.name.lower()}
        return Note("trading", "amended", text, report.at_ms, detail)

    def _ended_unfilled(self, report: Report, name: str, verb: str, level: Level) -> Note:
        symbol, why = self.units[report.instrument].symbol, ""
        if report.rejection:
            rejection = Rejection(report.rejection)
            why = f": {rejection.name.lower()}, {REJECTIONS[rejection]}"
        text = f"{verb} {symbol}{why}  ({self._why(report.sequence)})"
        detail = self._of(report) | {"rejection": Rejection(report.rejection).name.lower()}
        return Note("trading", name, text, report.at_ms, detail, level)

    def _refused(self, item: Refused, signal: Signal | None) -> Note:
        symbol, refusal = self.units[item.instrument].symbol, Refusal(item.refusal)
        reason = refusal.name.lower()
        text = f"refused {symbol}: {reason}, {REFUSALS[refusal]}  ({self._who(self.model)})"
        detail: dict[str, Any] = {"symbol": symbol, "refusal": reason}
        detail["model"] = self.name(self.model)
        if signal is not None:
            detail["conviction_bps"] = signal.conviction_bps
        return Note("trading", "refused", text, item.at_ms, detail)

    def _limits(self, item: Limits) -> Note:
        before, after = self.law._asdict(), item.law._asdict()
        changed = {name: new for name, new in after.items() if new != before[name]}
        said = ", ".join(f"{name} {before[name]:,} → {new:,}" for name, new in changed.items())
        self.law = item.law
        text = f"new limits in force: {said or 'the same'}"
        return Note("trading", "limits", text, item.at_ms, changed)

    def _sent(self, order: Order) -> None:
        cause = Cause(order.cause).name.lower()
        cause += f", try {order.attempt + 1}" if order.attempt else ""
        self.working[order.sequence] = Working(cause, self.model, order.quantity, order.filled)

    def _why(self, sequence: int) -> str:
        """The mark of a line: why an order was sent, and whose opinion it was."""
        known = self.working.get(sequence)
        if known is None:
            return f"{UNKNOWN}, {self._who(self.model)}"
        return f"{known.cause}, {self._who(known.model)}"

    def _of(self, report: Report) -> dict[str, Any]:
        known = self.working.get(report.sequence)
        return {
            "symbol": self.units[report.instrument].symbol,
            "sequence": report.sequence,
            "cause": known.cause if known else None,
            "model": self.name(known.model if known else self.model),
        }


def _audited(note: Note) -> Iterator[Note]:
    """What is aloud in the story of the day stands in the audit as well."""
    yield note
    yield note._replace(log="audit", aloud=False)


def _the(name: str) -> str:
    return "the baseline" if name == "baseline" else name


def _fallen(account: Account) -> float:
    """The drawdown, as a share of the peak."""
    return max(account.peak - equity(account), 0) / max(account.peak, 1)


def _number(amount: int, decimals: int) -> float:
    return float(amount / 10**decimals)
