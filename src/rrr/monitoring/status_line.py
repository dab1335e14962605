"""How the house is, in one line: redrawn on a terminal, and once a minute in the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rrr.core.market import QUANTA
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import count, money, span, stamp


@dataclass(frozen=True, slots=True)
class Figures:
    """The pulse at one moment. Money in quanta; ages, lags and memory by the wall's clock."""

    at_ms: int  # the market's time of the last close; 0: there was none
    equity: int
    invested: int
    peak: int
    positions: tuple[tuple[str, str, int], ...] = ()  # symbol, quantity, unrealised P&L
    ages_s: Mapping[str, float] = field(default_factory=dict)  # of each one's last candle
    feed: str = "ok"
    memory_mb: float = 0.0
    lag_p99_ms: float = 0.0
    lag_max_ms: float = 0.0
    rows: int = 0
    signals: str = "baseline"
    training: str = ""  # how far it is: "35 %"; empty while nothing trains
    next_close_s: float | None = None
    halted: str = ""  # why; empty while it is not
    uptime_s: float = 0.0
    lost: int = 0  # lines that no log took
    live: str = ""  # the venue where real money moves

    @property
    def gain_ratio(self) -> float:
        return self.equity / self.invested - 1 if self.invested else 0.0

    @property
    def drawdown_ratio(self) -> float:
        return max(self.peak - self.equity, 0) / self.peak if self.peak else 0.0


def status_line(figures: Figures) -> str:
    """What matters most stands first: a narrow terminal cuts the end off.

    >>> status_line(Figures(1_704_423_600_000, 1_004_860_000_000, 10**12, 0, next_close_s=0.4))
    '2024-01-05 03:00Z  equity 10,048.60 (+0.49%)  flat  next close in 0.4 s  loop lag 0 ms'
    """
    parts = [f"LIVE {figures.live}"] if figures.live else []
    parts.append(_time(figures))
    if figures.halted:
        parts.append(f"HALTED {figures.halted}")
    parts += [_equity(figures), _positions(figures)]
    if figures.next_close_s is not None:
        soon = figures.next_close_s > 0
        parts.append(f"next close in {span(figures.next_close_s)}" if soon else "next close is due")
    if " (flat: " in figures.signals:
        parts.append(figures.signals)
    if figures.training:
        parts.append(f"training {figures.training}")
    return "  ".join([*parts, f"loop lag {figures.lag_p99_ms:.0f} ms"])


def heartbeat(figures: Figures) -> Note:
    """All that is well, and all that is not: told each minute, so that silence means something."""
    parts = [
        f"up {span(figures.uptime_s)}, market {_time(figures)}",
        f"{_equity(figures)}, drawdown {figures.drawdown_ratio:.2%}, {_holdings(figures)}",
        f"last candles {_ages(figures.ages_s)}, feed {figures.feed}",
        f"memory {figures.memory_mb:.0f} MB",
        f"loop lag p99 {figures.lag_p99_ms:.0f} ms, max {figures.lag_max_ms:.0f} ms",
        f"{count(figures.rows, 'row')}, signals {figures.signals}",
    ]
    if figures.training:
        parts.append(f"training {figures.training}")
    if figures.halted:
        parts.insert(0, f"HALTED {figures.halted}")
    if figures.live:
        parts.insert(0, f"LIVE {figures.live}")
    if figures.lost:
        parts.append(f"{count(figures.lost, 'log line')} lost")
    level = Level.WARNING if figures.halted or figures.lost else Level.INFO
    return Note("system", "heartbeat", "; ".join(parts), detail=_detail(figures), level=level)


def _time(figures: Figures) -> str:
    return stamp(figures.at_ms) if figures.at_ms else "before its first candle"


def _equity(figures: Figures) -> str:
    return f"equity {money(figures.equity)} ({figures.gain_ratio:+.2%})"


def _positions(figures: Figures) -> str:
    return count(len(figures.positions), "position") if figures.positions else "flat"


def _holdings(figures: Figures) -> str:
    held = [f"{name} {quantity} {money(pnl, '+')}" for name, quantity, pnl in figures.positions]
    return _positions(figures) + (f" ({', '.join(held)})" if held else "")


def _ages(ages_s: Mapping[str, float]) -> str:
    """Those of one age together, the oldest first.

    >>> _ages({"BTC-USD": 3.2, "ETH-USD": 3.2, "SOL-USD": 7_500.0})
    'SOL-USD 2 h 5 min, BTC-USD ETH-USD 3.2 s'
    """
    names: dict[str, list[str]] = {}
    for name, age_s in sorted(ages_s.items(), key=lambda one: -one[1]):
        names.setdefault(span(age_s), []).append(name)
    return ", ".join(f"{' '.join(together)} {age}" for age, together in names.items()) or "none yet"


def _detail(figures: Figures) -> dict[str, Any]:
    return {
        "at_ms": figures.at_ms,
        "equity": figures.equity / QUANTA,
        "gain_ratio": round(figures.gain_ratio, 8),
        "drawdown_ratio": round(figures.drawdown_ratio, 8),
        "positions": {
            name: {"quantity": quantity, "unrealised": pnl / QUANTA}
            for name, quantity, pnl in figures.positions
        },
        "ages_s": {name: round(age_s, 3) for name, age_s in figures.ages_s.items()},
        **{
            name: getattr(figures, name)
            for name in ("feed", "memory_mb", "lag_p99_ms", "lag_max_ms", "rows", "signals")
            + ("training", "next_close_s", "halted", "uptime_s", "lost", "live")
        },
    }
