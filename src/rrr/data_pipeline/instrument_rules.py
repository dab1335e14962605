"""A rule of a venue is a decimal in quotation marks, or the file is refused with its key.

    [binance."BTC-USDT"]
    tick = "0.01"             # smallest step of price
    lot = "0.00001"           # smallest step of quantity
    quantity_min = "0.00001"  # of the base; a lot, if left out
    notional_min = "5"        # of the quote; nothing, if left out

The venue `any` speaks where a venue has no rules of its own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeAlias

from rrr.core.errors import ConfigError, NotFound, UsageError
from rrr.data_pipeline.recorded_files import symbol_name

_KEYS = ("tick", "lot", "quantity_min", "notional_min")
_EXAMPLE = 'Write decimals in quotation marks: tick = "0.01".'
_DECIMALS_MAX = 18


@dataclass(frozen=True, slots=True)
class Rules:
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    notional_min: Decimal


Known: TypeAlias = Mapping[tuple[str, str], Rules]


def load(file: Path) -> Known:
    """The rules by venue and symbol."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.", "Restore it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no TOML: {error}.", _EXAMPLE) from error

    known: dict[tuple[str, str], Rules] = {}
    for venue, symbols in content.items():
        for symbol, section in _table(file, venue, symbols).items():
            where = f'{file}, [{venue}."{symbol}"]'
            try:
                key = venue.lower(), symbol_name(symbol)
            except UsageError as error:
                raise ConfigError(f"{where}: {error.what}", error.advice) from error
            if key in known:
                raise ConfigError(f"{where} stands there twice.", "Leave one of them.")
            known[key] = _rules(where, _table(file, f'{venue}."{symbol}"', section))
    return known


def places(value: Decimal) -> int:
    """
    >>> places(Decimal("0.010")), places(Decimal("100"))
    (2, 0)
    """
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "Finite, by the door."
    return max(-exponent, 0)


def _table(file: Path, name: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{file}, {name}: {value!r} is no section.", 'Sections read [binance."BTC-USDT"].'
        )
    return value


def _rules(where: str, section: Mapping[str, object]) -> Rules:
    for key in section:
        if key not in _KEYS:
            raise ConfigError(f"{where} has an unknown key {key!r}.", f"Known: {', '.join(_KEYS)}.")
    for key in ("tick", "lot"):
        if key not in section:
            raise ConfigError(f"{where} lacks {key!r}.", _EXAMPLE)
    tick, lot = (_decimal(where, key, section[key]) for key in ("tick", "lot"))
    for key, value in (("tick", tick), ("lot", lot)):
        if value == 0:
            raise ConfigError(f"{where}, {key}: it must be above 0.", _EXAMPLE)
    quantity_min = _decimal(where, "quantity_min", section.get("quantity_min", str(lot)))
    notional_min = _decimal(where, "notional_min", section.get("notional_min", "0"))
    if places(notional_min) > 8:
        raise ConfigError(
            f"{where}, notional_min: {notional_min} has more than 8 decimals.", "Round it up."
        )
    return Rules(tick, lot, quantity_min, notional_min)


def _decimal(where: str, key: str, value: object) -> Decimal:
    if not isinstance(value, str):
        raise ConfigError(
            f"{where}, {key}: {value!r} is {type(value).__name__}, not text.", _EXAMPLE
        )
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ConfigError(f"{where}, {key}: {value!r} is no decimal.", _EXAMPLE) from error
    if not number.is_finite() or number < 0 or places(number) > _DECIMALS_MAX:
        raise ConfigError(
            f"{where}, {key}: {value!r} is no decimal from 0 up with {_DECIMALS_MAX} places.",
            _EXAMPLE,
        )
    return number
