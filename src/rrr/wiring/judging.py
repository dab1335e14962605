"""A model is judged on the candles that it learned from, by the account that would obey it.

The market is asked for these very candles, by their digest. What is about to be looked at is
counted first; the siblings, the champion and the twins are played; the verdict and its page are
kept beside the model. Asked again on the same terms, the verdict that stands is shown: a second
look would count, and show nothing new.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from rrr.backtesting import gate_ledger
from rrr.backtesting.compiled import is_cold
from rrr.backtesting.gate import Kind, Verdict, in_words, judge
from rrr.backtesting.gate_case import Bench, Shown, case_of, daily, ratio, shown, simplest
from rrr.backtesting.gate_folds import Folds, folds_of
from rrr.backtesting.gate_leaks import Pipeline, leaks
from rrr.backtesting.gate_returns import Ledger
from rrr.backtesting.gate_rules import Rules, Terms
from rrr.backtesting.history import History
from rrr.backtesting.history_columns import repeated
from rrr.config import Home, Loaded, Settings, show_json
from rrr.config.round_trip import account_of, taken_ppm
from rrr.core.errors import DataError, NotProven, UsageError
from rrr.core.market import BPS, Source
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.database.sessions import key_of
from rrr.monitoring.words import count, stamp
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.panel import Panel, leader_of, panel_of
from rrr.neural_network.strategies.champion import Champion
from rrr.neural_network.terms import terms_of
from rrr.trading.engine.opening import core_hash
from rrr.wiring import model_page
from rrr.wiring.backtest_given import book_of
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtest_speed import COMPILING
from rrr.wiring.beginning import market_of, now_ms
from rrr.wiring.strategies import as_usual
from rrr.wiring.teller import Teller

FORMAT: Final = 1
DAY_MS: Final = 86_400_000
ASSUMED: Final = (
    "Long or flat, as on a spot market: no funding is paid or earned; a perpetual would pay it.",
    "The instruments were chosen afterwards: what died on the way is not among them.",
    "A purchase that rests is filled only by a price that goes beyond it.",
    "The fall that halts a book is lifted for all who play here; the gate has its own rule.",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as it is kept, its page, whether it stood before, and where its pictures are."""

    content: Mapping[str, Any]
    page: str
    stood: bool
    pictures: Path

    @property
    def passed(self) -> bool:
        return bool(self.content["passed"])

    @property
    def code(self) -> int:
        return 0 if self.passed else NotProven.exit_code


def gate(home: Home, loaded: Loaded, name: str, progress: Progress) -> Judged:
    """Judge a model of a full training, and keep the verdict."""
    models, rules = home.data / "models", rules_of(loaded.settings)
    of = registry.named(models, name)
    loaded = as_scoped(loaded, of)
    terms = _terms(loaded.settings, of)
    if (stood := registry.stands(models, of.name, terms)) is not None:
        pictures = model_page.path_of(models, of)
        return Judged(stood, registry.page(models, of.name), True, pictures)
    siblings = registry.siblings(models, of)
    progress.stage("candles", "asking for the candles that it learned from")
    market = learned_from(home, loaded, of)
    folds = {kind: folds_of(one, market.panel) for kind, one in siblings.items()}
    folds = folds or {of.kind: folds_of(of, market.panel)}
    mine = folds[of.kind]
    progress.stage("leak tests", "looking for leaks in features, labels, splits and learning")
    leaky = leaks(Pipeline(market.panel, mine, of.kind, of.network, loaded.settings.seed))

    home.prepare()
    trials = gate_ledger.counted(home, of.scope, _recipes(loaded, siblings), terms, now_ms())
    progress.stage("playing", COMPILING if is_cold() else "playing siblings and champion")
    bench = bench_of(loaded, market, mine, of)
    seen = shown(bench, {kind: one.cut() for kind, one in folds.items()})
    gate_ledger.concluded(home, _outcomes(seen, trials, of, rules))
    ledger = gate_ledger.ledger(home, of.scope, loaded.settings.gate.prior_trials)
    progress.stage("twins")
    passed = {test: not found for test, found in leaky.items()}
    kind = cast(Kind, of.kind)
    case = case_of(bench, seen, kind, mine.cut(), ledger, passed, progress.heard)
    progress.stage("judging")
    verdict = judge(case, rules)
    looks = [_terms(loaded.settings, one) for one in siblings.values()]
    gate_ledger.seen(home, gate_ledger.family(of.scope), looks, now_ms())

    serves = siblings[simplest(seen.kinds, rules)]
    content = {
        "format": FORMAT,
        "model": f"{of.id:012x}",
        "folder": of.name,
        "kind": of.kind,
        "training": of.manifest["training"],
        "passed": verdict.passed,
        "at_ms": now_ms(),
        "serves": serves.name,
        "terms": terms,
        "account": account_of(loaded.settings, of.scope.symbols),
        "family": gate_ledger.family(of.scope),
        "tried": ledger.tried,
        "looks": ledger.looks,
        "verdict": verdict.as_json(),
        "leaks": leaky,
    }
    kept = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    page = "\n".join(_page(of, verdict, serves, ledger, leaky)) + "\n"
    registry.judged(models, of.name, kept.encode(), page, serves.name)
    progress.stage("page", "drawing the page")
    pictures = model_page.judged(models, siblings, market, bench, folds, seen, case, verdict)
    return Judged(json.loads(kept), page, False, pictures)


def tried(home: Home, loaded: Loaded, of: Artefact) -> None:
    """Count a training, whose figures are about to be shown: of each kind a recipe.

    What a quick one shows, it showed on the last candles: those that a gate holds back.
    """
    siblings = registry.siblings(home.data / "models", of)
    gate_ledger.tried(home, of.scope, _recipes(as_scoped(loaded, of), siblings), now_ms())
    if not of.manifest["full"]:
        look = key_of({"model": of.id})
        gate_ledger.seen(home, gate_ledger.family(of.scope), [look], now_ms())


def rules_of(settings: Settings) -> Rules:
    return Rules(drawdown_ratio_max=settings.gate.drawdown_refused_bps / BPS)


def as_scoped(loaded: Loaded, of: Artefact) -> Loaded:
    """The settings for the instruments and the timeframe of a model; its market must be meant."""
    settings, scope = loaded.settings, of.scope
    if settings.source != scope.market:
        raise UsageError(
            f"{of.name} learned from {scope.market}, and the market here is {settings.source}.",
            "Give the options that `rrr train` was given.",
        )
    timeframe = timeframe_name(scope.timeframe_ms)
    meant = settings.model_copy(update={"symbols": scope.symbols, "timeframe": timeframe})
    return replace(loaded, settings=meant)


def learned_from(home: Home, loaded: Loaded, of: Artefact) -> History:
    """The candles that a model learned from. Raise DataError where they are others now."""
    teller = Teller(sys.stderr, loaded)

    async def asked() -> History:
        async with market_of(home, loaded.settings, teller, asyncio.Event()) as market:
            return await asyncio.to_thread(_history, market, of)

    return asyncio.run(asked())


def history_over(panel: Panel, market: Market) -> History:
    """Candles that were learned from, as those of their market."""
    return History(
        panel,
        repeated(Source.SYNTHETIC if market.synthetic else Source.REPLAYED, panel),
        repeated(0, panel),
        repeated(0, panel),
        0,
        tuple(market.instruments),
        None,
        market.synthetic,
        market.title,
        {"market": market.name},
        (),
        panel.digest(),
    )


def bench_of(loaded: Loaded, whole: History, folds: Folds, of: Artefact) -> Bench:
    """From the first test to the last, with the books of the account."""
    settings, symbols = loaded.settings, of.scope.symbols
    panel = whole.panel.cut(0, folds.ends)
    history = replace(
        whole,
        panel=panel,
        source=whole.source[:, : folds.ends],
        bid=whole.bid[:, : folds.ends],
        ask=whole.ask[:, : folds.ends],
        begins=folds.begins,
    )
    return Bench(
        history,
        book_of(settings, history),
        book_of(as_usual(loaded, Champion()).settings, history),
        terms_of(settings, symbols),
        priced(settings, panel, symbols, folds.horizon),
        settings.gate.random_twins,
        settings.seed,
    )


def priced(settings: Settings, panel: Panel, symbols: tuple[str, ...], horizon: int) -> Terms:
    """What the dearest of them costs, and how far they move on average."""
    dearest = max(symbols, key=lambda one: taken_ppm(settings.costs.of(one)))
    costs = settings.costs.of(dearest)
    known = panel.there[:, 1:] & panel.there[:, :-1]
    now, before = panel.close[:, 1:], np.maximum(panel.close[:, :-1], 1)
    spreads = [(now[i] / before[i] - 1)[here].std() for i, here in enumerate(known) if here.any()]
    return Terms(
        horizon_ms=horizon * panel.timeframe_ms,
        maker_ratio=0.5 if settings.policy.entry == "maker" else 0.0,  # a sale always takes
        taker_fee_ppm=costs.taker_fee_ppm,
        maker_fee_ppm=costs.maker_fee_ppm,
        half_spread_ppm=costs.half_spread_ppm,
        slippage_ppm=costs.slippage_ppm,
        adverse_ppm=settings.gate.adverse_ppm,
        volatility=float(np.mean(spreads)) if spreads else 0.0,
        candle_ms=panel.timeframe_ms,
    )


def _history(market: Market, of: Artefact) -> History:
    data, step_ms = of.manifest["data"], market.timeframe_ms
    begins_ms, ends_ms = int(data["begins_ms"]), int(data["ends_ms"])
    wanted = max((market.begins_ms - begins_ms) // step_ms + 1, 1)
    symbols = tuple(one.spec.symbol for one in market.instruments)
    panel = panel_of(market.history(wanted), len(symbols), step_ms, leader_of(symbols))
    first, last = np.searchsorted(panel.opened_at_ms, (begins_ms, ends_ms)).tolist()
    panel = panel.cut(first, last)
    if symbols != of.scope.symbols or panel.digest() != data["digest"]:
        there = count(int(panel.there.sum()), "candle") if panel.times else "none"
        raise DataError(
            f"{of.name} learned from candles of {', '.join(of.scope.symbols)} from"
            f" {stamp(begins_ms)} to {stamp(ends_ms)}, digest {data['digest'][:12]}; of these"
            f" there are {there} here, digest {panel.digest()[:12]}.",
            "Give the options that `rrr train` was given, with the files that it read.",
        )
    return history_over(panel, market)


def _terms(settings: Settings, of: Artefact) -> str:
    """What a verdict depends on: on the same, another look shows nothing new."""
    return key_of(
        {
            "model": of.id,
            "account": account_of(settings, of.scope.symbols),
            "capital": str(settings.capital),
            "seed": settings.seed,
            "core": core_hash(),
        }
    )


def _recipes(loaded: Loaded, siblings: Mapping[str, Artefact]) -> dict[str, str]:
    settings: dict[str, Mapping[str, Any]] = dict(show_json(loaded))
    return {kind: gate_ledger.recipe(one.manifest, settings) for kind, one in siblings.items()}


def _outcomes(
    seen: Shown, trials: Mapping[str, int], of: Artefact, rules: Rules
) -> dict[int, dict[str, Any]]:
    """What each kind showed, as the ledger keeps it; beyond the hold only before the holdout."""
    return {
        trials[kind]: {
            "sharpe": daily(record, DAY_MS / of.scope.timeframe_ms),
            "excess": ratio(record, rules),
            "candles": len(record.net),
        }
        for kind, record in seen.kinds.items()
    }


def _page(
    of: Artefact,
    verdict: Verdict,
    serves: Artefact,
    ledger: Ledger,
    leaky: Mapping[str, list[str]],
) -> list[str]:
    scope, data = of.scope, of.manifest["data"]
    hours = of.horizon * scope.timeframe_ms / 3_600_000
    ics = [one["ic"] for one in of.manifest["folds"]]
    ic = float(np.mean(ics))
    lines = [
        f"{of.kind} {of.name}, of {count(len(scope.symbols), 'instrument')}"
        f" ({', '.join(scope.symbols)}), {scope.market},"
        f" candles of {timeframe_name(scope.timeframe_ms)}, {hours:g} hours ahead.",
        f"Learned from {stamp(data['begins_ms'])} to {stamp(data['ends_ms'])}; IC of its"
        f" {count(len(ics), 'fold')} {ic:+.4f} on average, {min(ics):+.4f} to {max(ics):+.4f}.",
    ]
    if ic > Rules().ic_max and scope.market != "simulated":
        lines.append(f"An IC above {Rules().ic_max:g} on real candles is a leak, not a find.")
    lines += ["", in_words(verdict), ""]
    lines += [f"Leak: {name}: {words}." for name, found in leaky.items() for words in found[:3]]
    lines.append(
        f"{count(ledger.tried, 'recipe')} count as tried, the holdout was looked at"
        f" {count(ledger.looks, 'time')}, this one included."
    )
    same = "this one" if serves.name == of.name else serves.name
    lines.append(f"Of its training the simplest that is not beaten is {serves.kind}: {same}.")
    return lines + ["", *ASSUMED]
