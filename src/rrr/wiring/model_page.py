"""The page of a training shows what may be seen: before the gate has looked, not its holdout.

`unjudged` is what `rrr train` writes: forecasts are cut where the holdout begins before anybody
plays them. `judged` is what the gate writes when it has looked, with its verdict.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np

from rrr.backtesting.gate import Case, Verdict
from rrr.backtesting.gate_case import Bench, Shown, shown, simplest
from rrr.backtesting.gate_folds import Folds, folds_of
from rrr.backtesting.gate_played import played, twins
from rrr.backtesting.gate_returns import Record
from rrr.backtesting.gate_rules import Rules
from rrr.backtesting.history import History, closing
from rrr.backtesting.report import svg
from rrr.backtesting.report.learned import page
from rrr.backtesting.report.learned_figures import Learned, Skill
from rrr.backtesting.report.learned_parts import doubtful
from rrr.backtesting.report.model import Figure
from rrr.backtesting.trade_list import put
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.monitoring.words import count
from rrr.neural_network.artefact import Artefact
from rrr.wiring import model_figures

FOLDER: Final = "pages"
TWINS: Final = 40  # on a page that nobody judges by
HOUR_MS: Final = 3_600_000
SURVIVORS: Final = (
    "those that exist today: what died on the way is not among them, and no figure here says how it"
    " would have done"
)
SILENCE: Final = (
    "whether it will earn anything. The past was learned from once; fees, venues and people change,"
    " and who reads many such pages finds a good one by luck."
)
Heard = Callable[[int, int], None]


def unjudged(
    models: Path,
    siblings: Mapping[str, Artefact],
    whole: History,
    bench_of: Callable[[History, Folds, Artefact], Bench],
    heard: Heard,
) -> Path:
    """`whole`: the candles that they learned from; `bench_of` makes books of the account's."""
    folds = {kind: folds_of(of, whole.panel) for kind, of in siblings.items()}
    column = held_out(whole, next(iter(folds.values())))
    early = {kind: _until(one, column) for kind, one in folds.items()}
    serves = serving(siblings)
    bench = bench_of(whole, early[serves], siblings[serves])
    seen = shown(bench, early)
    random = []
    for number, words in enumerate(
        twins(seen.said[serves], bench.history.begins, TWINS, bench.seed), 1
    ):
        random.append(played(bench.history, words, bench.book, dear=False))
        heard(number, TWINS)
    learned = _learned(siblings, whole, column, bench, early, seen, serves, random, None)
    return _put(models, learned)


def judged(
    models: Path,
    siblings: Mapping[str, Artefact],
    whole: History,
    bench: Bench,
    folds: Mapping[str, Folds],
    seen: Shown,
    case: Case,
    verdict: Verdict,
) -> Path:
    """All of it: the gate has looked, and said this of the model of the case."""
    column = held_out(whole, folds[case.kind])
    cut = {name: one.cut() for name, one in folds.items()}
    learned = _learned(siblings, whole, column, bench, cut, seen, case.kind, case.random, verdict)
    return _put(models, learned)


def path_of(models: Path, of: Artefact) -> Path:
    """Where the page of its training stands."""
    return models / FOLDER / f"{of.manifest['training'][:12]}.html"


def serving(siblings: Mapping[str, Artefact]) -> str:
    """The kind that its training says serves; the simplest of a part of a family."""
    said = (kind for kind, of in siblings.items() if of.manifest.get("serves"))
    return next(said, next(iter(siblings)))


def listed(names: Iterable[str]) -> str:
    """
    >>> listed(["ridge", "boosting", "network"]), listed(["ridge"])
    ('ridge, boosting and network', 'ridge')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def held_out(whole: History, folds: Folds) -> int:
    """The column with which the gate's holdout begins."""
    columns = np.flatnonzero(closing(whole))
    columns = columns[(columns >= folds.begins) & (columns < folds.ends)]
    late = max(round(len(columns) * Rules().held_out_ratio), 1)
    return int(columns[len(columns) - late])


def _until(folds: Folds, column: int) -> Folds:
    return replace(folds, means=folds.means[:, :column], fold=folds.fold[:column])


def _put(models: Path, learned: Learned) -> Path:
    path = models / FOLDER / f"{learned.name}.html"
    put(path, page(learned).encode())
    return path


def _learned(
    siblings: Mapping[str, Artefact],
    whole: History,
    column: int,
    bench: Bench,
    folds: Mapping[str, Folds],
    seen: Shown,
    kind: str,
    random: Sequence[Record],
    verdict: Verdict | None,
) -> Learned:
    of, panel = siblings[kind], whole.panel
    every, held_out_ms = model_figures.folds_of(of), int(panel.opened_at_ms[column])
    may = [n for n, fold in enumerate(every) if verdict or fold.ends_ms <= held_out_ms]
    told = model_figures.skills(siblings, may)
    hours = of.horizon * panel.timeframe_ms / HOUR_MS
    return Learned(
        name=of.manifest["training"][:12],
        title=f"{hours:g} hours ahead, learned by {listed(siblings)}",
        market=of.scope.market,
        timeframe=timeframe_name(panel.timeframe_ms),
        symbols=of.scope.symbols,
        synthetic=whole.synthetic,
        headline=_headline(of, whole.synthetic, told, verdict),
        words=_words(of, whole, hours, _serving(siblings, seen if verdict else None), verdict),
        horizon=of.horizon,
        served=kind,
        lessons=model_figures.lessons(siblings, shown=verdict is not None),
        folds=every,
        held_out_ms=held_out_ms,
        shown=verdict is not None,
        skills=told,
        calibrated=model_figures.calibration(siblings, folds, bench),
        charged=model_figures.charges(folds, bench),
        weighed=model_figures.weighed(siblings, may),
        equity=model_figures.equity(bench, seen, kind, random),
        verdict=verdict,
        origin=_origin(of, siblings),
    )


def _headline(
    of: Artefact, synthetic: bool, skills: Sequence[Skill], verdict: Verdict | None
) -> list[Figure]:
    mine = [one for one in skills if (one.kind, one.horizon) == (of.kind, of.horizon)]
    ic, errors = [one.ic for one in mine], [one.error or 0.0 for one in mine]
    told = "kept back"
    if mine:
        told = doubtful(float(np.mean(ic)), sqrt(sum(e**2 for e in errors)) / len(errors))
    folds = f"mean of {count(len(mine), 'fold')}, ± one standard error"
    alive = "made up" if synthetic else "those that exist today"
    asked = "not asked" if verdict is None else "passed" if verdict.passed else "refused"
    rules = (
        "it judges by candles that this page does not show"
        if verdict is None
        else f"by {len(verdict.refusals)} of {len(verdict.checks)} rules"
    )
    return [
        Figure("What serves" if verdict is None else "What was judged", of.kind, of.name),
        Figure("IC", told, folds),
        Figure("Instruments", str(len(of.scope.symbols)), alive),
        Figure("The gate", asked, rules),
    ]


def _words(
    of: Artefact, whole: History, hours: float, serves: Figure, verdict: Verdict | None
) -> list[Figure]:
    data, panel = of.manifest["data"], whole.panel
    candles = f"{count(int(panel.there.sum()), 'candle')} of {timeframe_name(panel.timeframe_ms)}"
    names = ", ".join(of.scope.symbols)
    first, last = (svg.day(int(data[name])) for name in ("begins_ms", "ends_ms"))
    folds = count(len(of.manifest["folds"]), "fold")
    return [
        Figure(
            "Learned from",
            candles,
            f"{of.scope.market}; it learns what the next {hours:g} hours bring",
        ),
        Figure("Span", f"{first} to {last}", f"tested in {folds}, each by what lies before it"),
        Figure(
            "Instruments",
            str(len(of.scope.symbols)),
            f"{names}: {'made up' if whole.synthetic else SURVIVORS}.",
            wary=not whole.synthetic,
        ),
        serves,
        _gate(of, verdict),
        Figure("Not said", "what comes", f"This page does not say {SILENCE}", wary=True),
    ]


def _serving(siblings: Mapping[str, Artefact], seen: Shown | None) -> Figure:
    """By what they earned before the holdout, once the gate has played them; by IC until then."""
    kinds = list(siblings)
    serves = serving(siblings) if seen is None else simplest(seen.kinds, Rules())
    figure = "the IC of the folds" if seen is None else "what it earned before the holdout"
    later = kinds[kinds.index(serves) + 1 :]
    beaten = kinds[: kinds.index(serves)]
    said = [f"{listed(beaten)} did worse"] if beaten else []
    said += [f"{listed(later)} did not beat it"] if later else []
    by = f": {', '.join(said)}, by {figure}" if said else ""
    why = f"the simplest that is not beaten{by}"
    return Figure("Serves unproven", serves, f"{why}.")


def _gate(of: Artefact, verdict: Verdict | None) -> Figure:
    if verdict is None:
        why = f"rrr models gate {of.name} asks it. The last part of the tests is kept for it."
        return Figure("The gate", "was not asked", why, wary=True)
    if verdict.passed:
        return Figure("The gate", "let it pass", "It lowers the odds of luck; it proves nothing.")
    names = ", ".join(check.name for check in verdict.refusals)
    return Figure("The gate", "refused it", f"by its rules of {names}.", wary=True)


def _origin(of: Artefact, siblings: Mapping[str, Artefact]) -> list[Figure]:
    manifest = of.manifest
    models = [Figure(kind, f"{one.name} (model {one.id:012x})") for kind, one in siblings.items()]
    versions = ", ".join(f"{name} {number}" for name, number in manifest["made_with"].items())
    settings = ", ".join(
        f"{name} {number}"
        for name, number in manifest["settings"].items()
        if name not in ("symbols", "market")
    )
    return [
        Figure("training", manifest["training"]),
        *models,
        Figure("candles", f"sha256 {manifest['data']['digest']}"),
        Figure("settings", settings),
        Figure("made with", versions),
    ]
