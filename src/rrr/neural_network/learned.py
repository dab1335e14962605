"""What a training knew of its own figures is read once, and believed only if it can be so.

`conformal.json` holds how far its forecasts were off on rows that it never learned from, and
`drift.json` how each feature was distributed. Both are numbers of a file: what is not finite, not
in order, or not of these instruments and features is refused with the name of what is wrong.
"""

from math import isfinite
from typing import Final, NamedTuple, TypeVar

import msgspec

from .conformal import SCORES_MAX, Conformal
from .drift import DECILES, LATELY_MAX, Usual
from .features import FEATURES

CONFORMAL: Final = "conformal.json"
DRIFT: Final = "drift.json"
ALPHA_MAX: Final = 1.0

T = TypeVar("T")


class Learned(NamedTuple):
    conformal: tuple[Conformal, ...]  # of each instrument
    times: int  # of a look at what goes in
    features: tuple[Usual | None, ...]
    low: tuple[float, ...]  # the least and the most that training held of each feature
    high: tuple[float, ...]


class _Conformal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alpha: float
    scores: tuple[tuple[float, ...], ...]


class _Usual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    psi_max: float


class _Drift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    times: int
    features: tuple[_Usual | None, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def learned(conformal: bytes, drift: bytes, instruments: int) -> Learned:
    """Raise ValueError, whose words begin with the file's name."""
    scores, usual = _read(conformal, _Conformal, CONFORMAL), _read(drift, _Drift, DRIFT)
    many = len(scores.scores)
    _require(0 < scores.alpha <= ALPHA_MAX, CONFORMAL, f"says alpha is {scores.alpha}")
    _require(many == instruments, CONFORMAL, f"is of {many} instruments and not of {instruments}")
    for one in scores.scores:
        _require(len(one) <= SCORES_MAX, CONFORMAL, f"has more than {SCORES_MAX} scores of one")
        _require(all(isfinite(s) and s >= 0 for s in one), CONFORMAL, "has a score that is none")
    _require(0 < usual.times <= LATELY_MAX, DRIFT, f"looks at {usual.times} times")
    for part in (usual.features, usual.low, usual.high):
        _require(len(part) == len(FEATURES), DRIFT, f"is not of {len(FEATURES)} features")
    _require(all(map(isfinite, usual.low + usual.high)), DRIFT, "has a bound that is no number")
    for each in usual.features:
        _require(each is None or _sound(each), DRIFT, "has a feature that was never distributed so")
    return Learned(
        tuple(Conformal(scores.alpha, one) for one in scores.scores),
        usual.times,
        tuple(
            None if one is None else Usual(*msgspec.structs.astuple(one)) for one in usual.features
        ),
        usual.low,
        usual.high,
    )


def _usual(one: _Usual | None) -> Usual | None:
    return None if one is None else Usual(one.edges, one.shares, one.psi_max)


def _sound(one: _Usual) -> bool:
    edges, shares = one.edges, one.shares
    sizes = len(edges) == len(DECILES) and len(shares) == 2 * len(DECILES) + 1
    numbers = all(map(isfinite, (*edges, *shares, one.psi_max)))
    return sizes and numbers and list(edges) == sorted(edges) and min(shares) >= 0


def _read(content: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{name} cannot be read: {str(error).rstrip('.')}") from error


def _require(sound: bool, name: str, how: str) -> None:
    if not sound:
        raise ValueError(f"{name} {how}")
