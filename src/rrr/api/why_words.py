"""A refusal is a sentence with two figures: what was seen, and what is allowed.

Numbers of the core enter; words and decimals for people leave.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rrr.api import views_live
from rrr.api.why_rules import Because, Judged, Measure, Wish
from rrr.core.events import Refused
from rrr.core.ledger import equity
from rrr.core.market import QUANTA
from rrr.core.orders import Kind, Rejection, Side, Stage, awaited
from rrr.core.rules import Refusal
from rrr.core.state import Account, Halt, Lane, State
from rrr.database.ledger import ENDS
from rrr.database.sessions import Unit
from rrr.monitoring.words import REJECTIONS, count, figure, money, printable, span, stamp

WIDTH: Final = 80
INDENT: Final = 11
MARKS: Final = {"kept": "✓", "broken": "✗", "not reached": "·"}
KINDS: Final = frozenset(kind.name.lower() for kind in Kind)
STOPS: Final = ("stop", "stop_limit", "trailing")
UNANSWERED: Final = f": nobody said what became of it; {views_live.ASK_AGAIN}"
WHO: Final = {
    Halt.DRAWDOWN: "the drawdown was too deep",
    Halt.OPERATOR: "a person halted",
    Halt.GUARD: "the guard halted",
    Halt.PANIC: "a person panicked",
}


class Seen(NamedTuple):
    """What the words of a rule need beside its figures."""

    unit: Unit
    state: State
    lane: Lane
    halt: Mapping[str, Any] | None  # reason, at_ms, note
    stopped_ms: int  # when a stop last filled


def figures(rule: Judged, seen: Seen) -> dict[str, Any]:
    """Value and limit in a person's units, and the sentence."""
    value, limit = (scaled(amount, rule.measure, seen.unit) for amount in (rule.value, rule.limit))
    unit = {"base": seen.unit.base, "quote": seen.unit.quote}.get(rule.measure.value)
    return {
        "value": value,
        "limit": limit,
        "unit": unit or rule.measure.value.replace("quote", seen.unit.quote),
        "text": sentence(rule, seen),
    }


def scaled(amount: int, measure: Measure, unit: Unit) -> float | int:
    if measure is Measure.GRAINS:
        return float(amount / 10**unit.grains)
    if measure in (Measure.QUANTA, Measure.EQUITY, Measure.BEST):
        return amount / QUANTA
    return amount


def sentence(rule: Judged, seen: Seen) -> str:
    """What one rule saw, and what it allows."""
    refusal, _, value, limit, measure = rule
    unit, lane, account = seen.unit, seen.lane, seen.state.account
    match refusal:
        case Refusal.PENDING:
            return pending(unit, lane)
        case Refusal.HALTED:
            return halted(Halt(value), seen.halt)
        case Refusal.LOSS_24H:
            best = max(account.memory.hours)
            said = f"{percent(max(value, 0), best)} below the best of 24 h"
            return f"{said}, limit {percent(seen.state.law.loss_24h_max_bps, 10_000)}"
        case Refusal.SYNTHETIC:
            if not value:
                return "the last candle was traded"
            return f"the last candle is made by us, which may {'' if limit else 'not '}open"
        case Refusal.STALE:
            return f"last candle {span(value / 1000)} old, limit {span(limit / 1000)}"
        case Refusal.WARMUP:
            return f"{value:,} candles known, {limit:,} needed"
        case Refusal.COOLDOWN:
            return cooldown(rule, seen.stopped_ms)
        case Refusal.QUANTITY_MIN:
            base = unit.base
            return f"buys {figure(value, unit.grains)} {base}, minimum {figure(limit, unit.grains)}"
        case Refusal.NOTIONAL_MIN:
            return f"worth {money(value)} {unit.quote} at its stop, minimum {money(limit)}"
        case Refusal.CAPACITY | Refusal.NOTIONAL_MAX:
            return f"up to {money(value)} {unit.quote}, limit {money(limit)}"
        case Refusal.CASH:
            return f"takes up to {money(value)} {unit.quote}, free {money(limit)}"
        case Refusal.ORDER_RATE:
            return f"{count(value, 'order')} within a minute with this one, limit {limit}"
    assert measure is Measure.EQUITY, "Every refusal has its sentence."
    total = max(equity(account), 1)
    each = " moves in one candle" if refusal is Refusal.BOOK_VOLATILITY else ""
    share, most = percent(value, total), percent(limit, total)
    if share == most:  # so near that only the money tells
        return f"{money(value)} {unit.quote}{each}, limit {money(limit)} ({most} of equity)"
    return f"{share} of equity{each}, limit {most}"


def pending(unit: Unit, lane: Lane) -> str:
    if lane.order.kind:
        side, number = Side(lane.order.side).name.lower(), lane.order.sequence
        how = "is UNKNOWN" if lane.order.stage == Stage.UNKNOWN else "still works"
        return f"order {number} {how}: {side} {amount(unit, lane.order.quantity)}"
    if lane.due:
        side = "buy" if lane.due > 0 else "sell"
        return f"approved and not sent yet: {side} {amount(unit, abs(lane.due))}"
    for leg in filter(awaited, (lane.stop, lane.target)):
        return f"order {leg.sequence}, which protects what is held, is not confirmed"
    return "nothing is on its way"


def halted(why: Halt, halt: Mapping[str, Any] | None) -> str:
    if why is Halt.NONE:
        return "no halt"
    note = f" ({printable(halt['note'])})" if halt and halt["note"] else ""
    since = f" since {stamp(halt['at_ms'])}" if halt else ""
    end = "by itself, or by `rrr resume`" if why is Halt.GUARD else "by `rrr resume`"
    return f"{WHO[why]}{note}{since}; ended {end}"


def cooldown(rule: Judged, stopped_ms: int) -> str:
    if not rule.broken:
        return f"none since {stamp(rule.limit)}" if rule.limit else "no stop has filled"
    when = f" (a stop filled at {stamp(stopped_ms)})" if stopped_ms else ""
    return f"until {stamp(rule.limit)}{when}"


def verdict(
    wish: Wish,
    refused: Refused | None,
    ordered: bool,
    rules: Sequence[Mapping[str, Any]],
    when: str,
) -> str:
    """One line: what the core said."""
    if refused is not None:
        name = Refusal(refused.refusal).name.lower()
        text = next(rule["text"] for rule in rules if rule["rule"] == name)
        again = f", {refused.times:,} times in a row" if refused.times > 1 else ""
        return f"refused: {name}, {text}{again}"
    if wish.change == 0:
        return "nothing to do: what is held is what is wished"
    first = "" if ordered else ", once the stop lets go of the coins"
    return f"approved: {'buys' if wish.change > 0 else 'sells'} {when}{first}"


def held(unit: Unit, account: Account, lane: Lane) -> str:
    if not lane.quantity:
        return "nothing"
    share = percent(lane.worth, max(equity(account), 1))
    text = f"{amount(unit, lane.quantity)} worth {money(lane.worth)} {unit.quote} ({share})"
    if lane.stop_price:
        text += f", stop {figure(lane.stop_price, unit.points)}"
    if lane.target_price:
        text += f", target {figure(lane.target_price, unit.points)}"
    return text


def wish(unit: Unit, state: State, found: Wish, value: int, conviction_bps: int) -> str:
    """How much the policy wishes to hold, what is to be done for it, and what decided it."""
    if found.target == found.held:
        aim = "stay flat" if not found.target else "keep what is held"
    else:
        side = "buy" if found.change > 0 else "sell"
        aim = f"{side} {amount(unit, abs(found.change))}" if found.change else "sell the dust"
        share = percent(value, max(equity(state.account), 1))
        aim += f", to hold {share} of equity" if found.target else ", to be flat"
    return f"{aim}: {because(unit, state, found, conviction_bps)}"


def because(unit: Unit, state: State, found: Wish, conviction_bps: int) -> str:
    law, asked = state.law, percent(found.exposure_bps, 10_000)
    match found.because:
        case Because.CONVICTION:
            return f"{conviction_bps:+,} bps is below the minimum, {law.conviction_min_bps:,} bps"
        case Because.VOLATILITY:
            return f"conviction and volatility target ask for {asked}"
        case Because.EXPOSURE:
            cap = percent(law.exposure_max_bps, 10_000)
            return f"the cap of one instrument is {cap} ({asked} asked by the volatility target)"
        case Because.NOTIONAL:
            return f"one order buys {money(law.order_notional_max)} {unit.quote} at most"
        case Because.BAND:
            band = percent(law.band_bps, 10_000)
            return f"the change is within the band, {band} of the larger of wish and holding"
    return str(found.because.value)


def happened(unit: Unit, what: str, *more: Any) -> str:
    """One row of what followed a signal."""
    if what == "halt":
        reason, note = more
        word = reason if reason in ENDS else f"halt: {reason}"
        return word + (f" ({printable(note)})" if note else "")
    if what == "fill":
        return filled(unit, *more)
    if what == "amended":
        return amended(unit, *more)
    sequence, *rest = more
    if what in KINDS:
        return f"order {sequence}: {ordered(unit, what, *rest)}"
    rejection, note = rest
    why = UNANSWERED if what == "unknown" else ""
    why = f": {REJECTIONS[Rejection(rejection)]}" if rejection else why
    return f"order {sequence} {what}{why}" + (f" ({printable(note)})" if note else "")


def ordered(unit: Unit, kind: str, side: int, quantity: int, price: int, cause: str) -> str:
    what, at = amount(unit, quantity), figure(price, unit.points)
    if kind in STOPS:
        return f"{kind.replace('_', '-')} {what} at {at}"
    word, end = ("buy", "most") if side == Side.BUY else ("sell", "least")
    return f"{word} {what} for at {end} {at} each ({cause})"


def amended(unit: Unit, sequence: int, quantity: int, price: int, rejection: int) -> str:
    word = f"still ({REJECTIONS[Rejection(rejection)]})" if rejection else "now"
    stop = f"stop {amount(unit, quantity)} at {figure(price, unit.points)}"
    return f"order {sequence} is {word} {stop}"


def filled(unit: Unit, sequence: int, side: int, quantity: int, *more: Any) -> str:
    price, fee, fee_grains, profit = more
    word = "bought" if side == Side.BUY else "sold"
    text = f"{word} {amount(unit, quantity)} at {figure(price, unit.points)} (order {sequence})"
    paid = amount(unit, fee_grains) if fee_grains else f"{money(fee)} {unit.quote}"
    return f"{text}, fee {paid}" + ("" if profit is None else f", P&L {money(profit, '+')}")


def laid_out(found: Mapping[str, Any]) -> str:
    """The whole answer, at most 80 columns wide where words can be broken."""
    mark = ", SYNTHETIC" if found["synthetic"] else ""
    at = f" at {stamp(found['at_ms'])}" if found["at_ms"] else ""
    lines = [f"{found['instrument']}{at}, session {found['session']}{mark}"]
    for name, text in parts(found):
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {name:<{INDENT - 2}}",
            subsequent_indent=" " * (INDENT + (hang(text) if name in ("rules", "") else 0)),
            break_long_words=False,
        )
    return "\n".join(lines)


def hang(text: str) -> int:
    """
    >>> hang("✓ halted            no halt")
    20
    """
    words = text.split(None, 2)
    return len(text) - len(words[-1]) if words[0] in MARKS.values() else 0


def parts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from decided(found)
    yield from outside(found.get("seam"))


def outside(seam: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """What of it lies at the venue, now."""
    if seam is None:
        return
    for one in seam["frozen"]:
        yield "FROZEN", views_live.frozen(one)
    for one in seam["orders"]:
        yield "now", f"{views_live.FATES[one['state']]}: {views_live.fate(one)}"


def decided(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    signal = found["signal"]
    if signal is None:
        yield "signal", f"none: {found['silence']}"
        return
    share = percent(abs(signal["conviction_bps"]), 10_000)
    side = "" if signal["conviction_bps"] >= 0 else ", short"
    about = f"({share} of full conviction{side})"
    who = voice(signal)
    yield "signal", f"{who} {signal['conviction_bps']:+,} bps {about} at {stamp(signal['at_ms'])}"
    if signal.get("because"):
        yield "", f"because {signal['because']}"
    if found["silence"]:
        yield "", f"since then: {found['silence']}"
    if other := found["other_core"]:
        yield from elsewhere(other)
    else:
        yield "held", found["held"]["text"]
        yield "wish", found["wish"]["text"]
        yield "verdict", found["verdict"]["text"]
        yield from ruled(found)
    for place, one in enumerate(found["after"]):
        yield "" if place else "then", f"{stamp(one['at_ms'])}  {one['text']}"


def ruled(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not found["rules"]:
        yield "rules", "not asked: there is no change to judge"
        if found["halted"]:
            yield "", f"the book is halted since {stamp(found['halted']['at_ms'])}"
    for place, rule in enumerate(found["rules"]):
        text = f"{MARKS[rule['mark']]} {rule['rule']:<17} {rule['text']}"
        if rule["mark"] == "not reached" and rule["would_refuse"]:
            text += ": no, too"
        yield "" if place else "rules", text
    if any(rule["mark"] == "not reached" for rule in found["rules"]):
        yield "", "· not reached: the rule above said no"
    if len(found["rules"]) == 1:
        yield "", "a sale only waits: no other rule is asked"


def elsewhere(other: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = f"core {other['core_hash'][:12]} of RRR {other['version']} decided this"
    yield "verdict", f"{told}: only that version can tell how"
    if refusal := other["last_refusal"]:
        times, last = refusal["times"], stamp(refusal["last_at_ms"])
        yield "refusal", f"{refusal['reason']} ×{times:,}, the last at {last}"


def voice(signal: Mapping[str, Any]) -> str:
    unproven = signal["model"] and not signal["proven"]
    return f"{signal['name']} (unproven)" if unproven else str(signal["name"])


def amount(unit: Unit, grains: int) -> str:
    return f"{figure(grains, unit.grains)} {unit.base}"


def percent(part: int, whole: int) -> str:
    """
    >>> percent(1_240, 10_000), percent(3, 10_000), percent(30, 100), percent(0, 5)
    ('12.4 %', '0.03 %', '30 %', '0 %')
    """
    share = 100 * part / max(whole, 1)
    if 0 < share < 0.005:
        return "under 0.01 %"
    text = f"{share:.1f}" if share >= 1 else f"{share:.2g}"
    return f"{text.removesuffix('.0')} %"
