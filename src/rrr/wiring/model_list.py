"""What models there are is a table, and what is known of one of them is a page."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.backtesting.gate_rules import Rules
from rrr.config import Home
from rrr.core.errors import ModelBroken
from rrr.monitoring.words import printable, span, stamp
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.registry import Known
from rrr.wiring.beginning import now_ms

HEADS: Final = ("model", "kind", "state", "learned from", "to", "IC", "verdict", "age")
NOTHING: Final = "–"
PLATT: Final = ("slope", "intercept")
SPAN: Final = ("begins_ms", "ends_ms", "rows")  # of a fold: what says nothing of skill


def listed(home: Home) -> list[dict[str, Any]]:
    """The newest first; the damaged last."""
    models = home.data / "models"
    found = [_told(models, one) for one in registry.standings(models)]
    return sorted(found, key=lambda one: (one["ends_ms"] or 0, one["model"]), reverse=True)


def of_one(home: Home, name: str) -> dict[str, Any]:
    models = home.data / "models"
    of = registry.named(models, name)
    [known] = [one for one in registry.standings(models) if one.name == of.name]
    report, (judged, trouble) = of.folder / "report.txt", _judged(models, of.name)
    return _told(models, known) | {
        "manifest": dict(of.manifest) if judged else _early(of),
        "verdict_page": "" if trouble else registry.page(models, of.name),
        "judged": judged,
        "report": report.read_text("utf-8") if report.is_file() else "",
    }


def in_words(found: list[dict[str, Any]]) -> str:
    if not found:
        return "There is no model yet: `rrr train` makes one."
    rows = [HEADS, *(_row(one) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(
        lines + [f"{one['model']}: {one['trouble']}" for one in found if one["trouble"]]
    )


def one_in_words(found: dict[str, Any]) -> str:
    """The manifest in words, the training's own report, the verdict."""
    manifest = found["manifest"]
    made = ", ".join(f"{name} {version}" for name, version in manifest.get("made_with", {}).items())
    about = [
        ("model", f"{found['model']}, {found['kind']}, id {found['id']}"),
        ("state", _stated(found)),
        ("of", f"{', '.join(manifest['symbols'])}, {manifest['market']}"),
        ("learned", f"{stamp(manifest['data']['begins_ms'])} to {stamp(found['ends_ms'])}"),
        ("data", str(manifest["data"]["digest"])),
        ("recipe", str(manifest["recipe"])),
        ("training", f"{manifest['training']}, {'full' if manifest['full'] else 'quick'}"),
        ("ahead", f"{manifest['horizon']} candles"),
        ("seed", str(manifest["seed"])),
        ("made with", made),
    ]
    lines = [f"{name:<10}{printable(words)}" for name, words in about]
    unjudged = found["trouble"] or "No gate judged it: `rrr models gate` does."
    verdict = found["verdict_page"] or unjudged
    report = map(printable, found["report"].rstrip().split("\n"))
    return "\n".join([*lines, "", *report, "", verdict.rstrip()])


def _told(models: Path, one: Known) -> dict[str, Any]:
    of, stands = one.artefact, one.standing
    told: dict[str, Any] = {
        "model": one.name,
        "state": stands.state,
        "why": stands.why,
        "since_ms": stands.since_ms,
        "serves": stands.serves,
        "trouble": one.trouble,
        "passed": None,
        "foreign": one.foreign,
    }
    if of is None:
        return told | dict.fromkeys(("id", "kind", "full", "begins_ms", "ends_ms", "ic", "age_ms"))
    data = of.manifest["data"]
    verdict, trouble = _judged(models, one.name)
    return told | {
        "trouble": trouble,
        "id": f"{of.id:012x}",
        "kind": of.kind,
        "full": bool(of.manifest["full"]),
        "serves": stands.serves or bool(of.manifest.get("serves")),
        "begins_ms": int(data["begins_ms"]),
        "ends_ms": of.ends_ms,
        "ic": _ic(of),
        "age_ms": max(now_ms() - of.ends_ms, 0),
        "passed": None if verdict is None else bool(verdict["passed"]),
    }


def _judged(models: Path, name: str) -> tuple[dict[str, Any] | None, str]:
    """Its verdict; or why that is not to be read."""
    try:
        return registry.verdict(models, name), ""
    except ModelBroken as error:
        return None, f"{error.what} {error.advice}"


def _early(of: Artefact) -> dict[str, Any]:
    """The manifest, without what rows of the holdout showed."""
    manifest = dict(of.manifest)
    if manifest["full"]:
        may, fitted = manifest.get("folds_shown", 0), manifest.get("calibration", {})
        manifest["folds"] = [
            {name: said for name, said in fold.items() if n < may or name in SPAN}
            for n, fold in enumerate(manifest.get("folds", ()))
        ]
        manifest["calibration"] = {name: fitted[name] for name in PLATT if name in fitted}
        manifest.pop("bps_per_unit", None)
    return manifest


def _ic(of: Artefact) -> float | None:
    """On average of the folds that end before the holdout; of a quick training what it showed."""
    folds = of.manifest.get("folds", ())
    if not folds:
        ic: float | None = of.manifest.get("metrics", {}).get("ic")
        return ic
    begins, ends = folds[0]["begins_ms"], folds[-1]["ends_ms"]
    held_out_ms = ends - (ends - begins) * Rules().held_out_ratio
    shown = [one["ic"] for one in folds if one["ends_ms"] <= held_out_ms]
    return float(np.mean(shown)) if shown else None


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    if one["kind"] is None:
        lost = "another version" if one["foreign"] else "damaged"
        state = lost if one["state"] == "candidate" else f"{one['state']}, {lost}"
        return (one["model"], NOTHING, state, *[NOTHING] * 5)
    verdict = {None: NOTHING, True: "passed", False: "refused"}[one["passed"]]
    verdict = "damaged" if one["trouble"] else verdict
    kind = one["kind"] if one["full"] else f"{one['kind']}, quick"
    return (
        one["model"],
        f"{kind}{' *' if one['serves'] and one['full'] else ''}",
        one["state"],
        stamp(one["begins_ms"]),
        stamp(one["ends_ms"]),
        NOTHING if one["ic"] is None else f"{one['ic']:+.4f}",
        verdict,
        span(one["age_ms"] / 1000),
    )


def _stated(found: dict[str, Any]) -> str:
    since = f" since {stamp(found['since_ms'])}" if found["since_ms"] else ""
    why = f": {found['why']}" if found["why"] else ""
    return f"{found['state']}{since}{why}"
