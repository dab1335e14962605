"""What a model said is made anew from what was stored: its bytes, the candles, and one row.

Features, network, probability, interval and word are reckoned again and laid beside the row, field
by field; the first that differs is named. Whose opinion is a rule's (the baseline, a strategy) is
explained by `why`.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from rrr.api import why
from rrr.api.why import Lookup
from rrr.core.errors import ModelBroken
from rrr.core.events import Close
from rrr.database import sessions, signals
from rrr.database.sessions import Session
from rrr.monitoring.words import span, stamp
from rrr.neural_network.abstaining import Reason, Terms
from rrr.neural_network.artefact import Artefact, load
from rrr.neural_network.conformal import SCORES_MAX, Conformal, ask
from rrr.neural_network.model import WINDOW, Model
from rrr.neural_network.strategies.strategy import SILENT
from rrr.neural_network.terms import HOUR_MS, LIMITS, RETRAINED_HOURS, RETRAININGS, limits_of
from rrr.neural_network.watch import read
from rrr.neural_network.word import REASONS

CLOSES = """SELECT core FROM journal WHERE session = ? AND book = ? AND kind = 4 AND at_ms <= ?
    ORDER BY number DESC LIMIT ?"""
SIGNAL = """SELECT json_extract(core, '$[2]') FROM journal WHERE session = ? AND book = ?
    AND kind = 5 AND at_ms = ? AND json_extract(core, '$[1]') = ?"""
MANIFEST = "SELECT name, manifest FROM models WHERE id = ?"
SETTING = "SELECT value FROM settings WHERE run = ? AND name = ?"
EXPIRE = "abstain.expire_hours"
RETRAINED = "train.every_hours"
AGAIN: Final = (
    "Only the model that spoke can say it again: restore its folder from a backup;"
    " `rrr why` tells what became of its word."
)
ENDED: Final = (Reason.EXPIRED, Reason.DRIFTED)


class Field(NamedTuple):
    name: str
    stored: Any
    made: Any

    @property
    def same(self) -> bool:
        return bool(self.stored == self.made)


def explain(
    connection: sqlite3.Connection,
    session: Session,
    symbols: Sequence[str],
    at_ms: int | None,
    models: Path,
    core_hash: str,
) -> dict[str, Any]:
    """The last opinion at or before a time of each of these instruments, of none of all."""
    named = symbols or [unit.symbol for unit in sessions.units(connection, session.id)]
    found = [_one(why.lookup(connection, session, one), at_ms, models, core_hash) for one in named]
    return {
        "session": session.name,
        "identical": all(one["difference"] is None for one in found),
        "opinions": found,
    }


def explain_in_words(found: Mapping[str, Any]) -> str:
    """What a person reads."""
    return "\n\n".join(map(_words, found["opinions"]))


def _one(look: Lookup, at_ms: int | None, models: Path, core_hash: str) -> dict[str, Any]:
    until_ms = 1 << 62 if at_ms is None else at_ms
    row = signals.last(look.connection, look.book, look.number, until_ms)
    told = why.why(look.connection, look.session, look.unit.symbol, at_ms, core_hash)
    signal = told["signal"]
    if row is None or (signal and signal["at_ms"] > row["closed_at_ms"]):
        rule: dict[str, Any] = {"instrument": look.unit.symbol, "difference": None, "fields": []}
        return rule | {"why": why.why_in_words(told), "at_ms": told["at_ms"]}
    name, manifest = look.one(MANIFEST, row["model"])
    artefact = _artefact(models / Path(json.loads(manifest)["folder"]).name, row["model"])
    fields = _fields(look, row, artefact)
    return {
        "instrument": look.unit.symbol,
        "at_ms": row["closed_at_ms"],
        "model": name,
        "folder": artefact.name,
        "kind": artefact.kind,
        "horizon_ms": artefact.horizon * artefact.scope.timeframe_ms,
        "learned_until_ms": artefact.ends_ms,
        "difference": next((one.name for one in fields if not one.same), None),
        "fields": [one._asdict() | {"same": one.same} for one in fields],
        "stored": {name: value for name, value in row.items() if name not in ("session", "book")},
    }


def _artefact(folder: Path, model: int) -> Artefact:
    try:
        artefact = load(folder)
    except ModelBroken as error:
        raise ModelBroken(error.what, AGAIN) from error
    if artefact.id != model:
        raise ModelBroken(f"The model in {folder} is another than the one that spoke.", AGAIN)
    return artefact


def _fields(look: Lookup, row: Mapping[str, Any], artefact: Artefact) -> list[Field]:
    """Each as it was stored, and as it is made now."""
    limits = limits_of(*(int(look.one(SETTING, row["run"], name)[0]) for name in LIMITS))
    instruments, timeframe_ms = len(artefact.scope.symbols), artefact.scope.timeframe_ms
    model = Model(artefact, instruments, timeframe_ms, Terms(row["cost_return"], limits))
    kept = look.all(CLOSES, *look.book, row["closed_at_ms"], WINDOW)
    closes = [msgspec.json.decode(core, type=Close) for (core,) in reversed(kept)]
    thought = model.thought(closes)
    mean, probability, unit, outside, unknown, word, reason = (
        one[look.number, 0].item()
        for one in (thought.means, thought.probabilities, thought.units, thought.outside)
        + (thought.unknown, thought.words, thought.why)
    )
    why_made, age_ms = REASONS[reason], row["closed_at_ms"] - artefact.ends_ms
    if thought.here[look.number, 0] and (ended := _ended(look, row, age_ms)):
        word, why_made = 0, ended
    interval = ask(Conformal(row["alpha"], _scores(look, row, artefact)), mean)
    signal = look.one(SIGNAL, *look.book, row["closed_at_ms"], look.number)
    late = signal is None and (row["conviction_bps"] or 0) > 0  # a late close opens nothing
    spoken = row["conviction_bps"] if late or signal is None else signal[0]
    made = (
        ("mean", mean),
        ("probability", probability),
        ("low", interval.low),
        ("high", interval.high),
        ("unit_return", unit),
        ("outside_ratio", outside),
        ("unknown", unknown),
        ("model_age_ms", age_ms),
        ("reason", why_made.value),
        ("conviction_bps", None if word == SILENT else word),
    )
    fields = [Field(name, row[name], _known(value)) for name, value in made]
    return [*fields, Field("signal", spoken, None if word == SILENT else word)]


def _ended(look: Lookup, row: Mapping[str, Any], age_ms: int) -> Reason:
    """Why the model was not believed, if what is stored beside that says so too."""
    asked = (look.one(SETTING, row["run"], name) for name in (EXPIRE, RETRAINED))
    expires, again = (int(told[0]) if told and told[0] else 0 for told in asked)
    hours = expires or RETRAININGS * (again or RETRAINED_HOURS)
    if row["reason"] == Reason.EXPIRED and age_ms > hours * HOUR_MS:
        return Reason.EXPIRED
    drifted = row["losses_worse"] or (row["psi"] or 0) > (row["psi_max"] or 0)
    return Reason.DRIFTED if row["reason"] == Reason.DRIFTED and drifted else Reason.NONE


def _scores(look: Lookup, row: Mapping[str, Any], artefact: Artefact) -> tuple[float, ...]:
    text = signals.state(look.connection, look.book, row["model"])
    began_ms = read(text).began * artefact.scope.timeframe_ms if text else 0
    wanted = [0] * len(artefact.scope.symbols)
    wanted[look.number] = SCORES_MAX
    until = began_ms, row["closed_at_ms"]
    since = signals.scores(look.connection, look.book, row["model"], wanted, until)[look.number]
    return (*artefact.learned.conformal[look.number].scores, *since)[-SCORES_MAX:]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _words(one: Mapping[str, Any]) -> str:
    if "why" in one:
        return str(one["why"])
    row = one["stored"]
    head = f"{one['instrument']}  close of {stamp(one['at_ms'])}, {one['model']} ({one['kind']})"
    age = span((one["at_ms"] - one["learned_until_ms"]) / 1000)
    lines = [head, f"  it learned until {age} before", *_opinion(one, row), ""]
    width = max(len(field["name"]) for field in one["fields"])
    for field in one["fields"]:
        mark = "=" if field["same"] else "✗"
        stored, made = _figure(field["stored"]), _figure(field["made"])
        lines.append(f"  {mark} {field['name']:<{width}}  {stored:>24}  {made:>24}")
    verdict = "identical: made anew, every field is what was stored"
    if one["difference"] is not None:
        verdict = f"DIFFERENT: {one['difference']} is not what was stored"
    return "\n".join([*lines, f"  {verdict}"])


def _opinion(one: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """What the opinion was made of."""
    if row["mean"] is None:
        return [f"  nothing was said: {row['reason']}, {row['unknown']} candles are missing"]
    ahead, promised = span(one["horizon_ms"] / 1000), row["mean"] * row["unit_return"]
    said = "nothing is said, what is held stays"
    if row["conviction_bps"] is not None:
        said = f"conviction {row['conviction_bps']:+,} bps"
    because = f": {row['reason']}" if row["reason"] else ""
    return [
        f"  foresees {promised:+.3%} in {ahead}: {row['mean']:+.4f} of a usual move of"
        f" {row['unit_return']:.3%}",
        f"  a rise with probability {row['probability']:.1%}; {1 - row['alpha']:.1%} of outcomes"
        f" between {row['low'] or nan:+.2f} and {row['high'] or nan:+.2f} usual moves",
        f"  a round trip costs {row['cost_return']:.3%}",
        f"  {said}{because}",
    ]


def _figure(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
