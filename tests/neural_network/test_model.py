"""A network's opinion is a function of the last `WINDOW` closes; floats end at this door."""

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pytest

from rrr.core.errors import ModelBroken
from rrr.core.events import Close, Signal
from rrr.core.market import BPS
from rrr.neural_network.abstaining import Belief, Limits, Reason, Terms
from rrr.neural_network.features import FEATURES, features
from rrr.neural_network.model import FOR_EVER, HOLES_MAX, WINDOW, Model
from rrr.neural_network.panel import panel_of
from rrr.neural_network.voice import Voice
from tests.builders import HOUR
from tests.neural_network.markets import SYMBOLS, closes, graph, network, trained

FREE: Final = Terms(0.0, Limits(0.0, 0.0, 0.0))  # whatever is promised opens


def model(
    models: Path,
    instruments: int = 3,
    content: bytes = b"",
    *,
    terms: Terms = FREE,
    belief: Belief = FOR_EVER,
    watched: bool = False,
    files: dict[str, bytes] | None = None,
    **changes: Any,
) -> Model:
    symbols = [f"{n:02}-USD" for n in range(instruments)]
    artefact = trained(models, content or network(), files, symbols=symbols, **changes)
    return Model(artefact, instruments, HOUR, terms, belief, watched=watched)


def constant(answer: float) -> bytes:
    """A network that says the same of everything: the sum of nothing, and this."""
    onnx = pytest.importorskip("onnx", reason="networks are made with onnx: rrr[train]")
    known = [
        onnx.numpy_helper.from_array(np.float32(0), "zero"),
        onnx.numpy_helper.from_array(np.array([1, 2]), "axes"),
        onnx.numpy_helper.from_array(np.float32(answer), "answer"),
    ]
    make = onnx.helper.make_node
    nodes = [
        make("Mul", ["x", "zero"], ["nothing"]),
        make("ReduceSum", ["nothing", "axes"], ["none"], keepdims=0),
        make("Add", ["none", "answer"], ["y"]),
    ]
    return graph(nodes, known)


@pytest.mark.parametrize(("seed", "instruments"), [(1, 1), (2, 3), (3, 16)])
def test_signals_are_the_same_however_the_closes_come(
    tmp_path: Path, seed: int, instruments: int
) -> None:
    told, dice = closes(seed, 700, instruments, holes=0.02), Random(seed)
    told = [one for one in told if dice.random() < 0.99]
    voices = [model(tmp_path, instruments) for _ in range(4)]
    one_by_one = [signals for close in told for signals in voices[0].meet([close])]
    in_parts: list[list[Signal]] = []
    while len(in_parts) < len(told):
        in_parts += voices[1].meet(told[len(in_parts) :][: dice.choice([0, 1, 2, 31, 128])])
    assert voices[2].meet(told) == in_parts == one_by_one
    assert voices[2].abstained == voices[1].abstained == voices[0].abstained
    begins = 400
    voices[3].warm(told[begins - WINDOW + 1 : begins])
    assert voices[3].meet(told[begins:]) == one_by_one[begins:]
    convictions = [signal.conviction_bps for signals in one_by_one for signal in signals]
    assert len(convictions) > 400 * instruments
    assert len(set(convictions)) > 300


def test_more_than_ten_thousand_windows_one_by_one_and_at_once(tmp_path: Path) -> None:
    told = closes(5, 1500, 8)
    live, fast = model(tmp_path, 8), model(tmp_path, 8)
    one_by_one = [signals for close in told for signals in live.meet([close])]
    at_once = [s for n in range(0, len(told), 128) for s in fast.meet(told[n : n + 128])]
    assert at_once == one_by_one
    assert sum(map(len, one_by_one)) > 10_000


def test_a_signal_is_the_networks_answer_to_the_features_in_basis_points(tmp_path: Path) -> None:
    told = closes(6, WINDOW + 20, holes=0)
    voice = model(tmp_path, bps_per_unit=12_345.6)
    rows = features(panel_of(told, 3, HOUR))
    for n, signals in enumerate(voice.meet(told)[WINDOW - 1 :]):
        answers = voice.network.asked(rows[:, n : n + 32]).astype(np.float64)
        for signal, answer in zip(signals, answers.tolist(), strict=True):
            assert signal.conviction_bps == max(-BPS, min(BPS, round(answer * 12_345.6)))
            assert signal.model == voice.model != 0
        assert [signal.instrument for signal in signals] == [0, 1, 2]
        assert {signal.at_ms for signal in signals} == {told[n + WINDOW - 1].at_ms}


@pytest.mark.parametrize(
    ("answer", "bps_per_unit", "conviction"),
    [
        (0.5, 5.0, 2),  # half to even
        (0.5, 7.0, 4),
        (-0.5, 5.0, -2),
        (3e38, 1e12, BPS),
        (-3e38, 1e12, -BPS),
        (3e38, 0.0, 0),
    ],
)
def test_answers_end_as_whole_basis_points_within_bounds(
    tmp_path: Path, answer: float, bps_per_unit: float, conviction: int
) -> None:
    voice = model(tmp_path, content=constant(answer), bps_per_unit=bps_per_unit)
    signals = voice.meet(closes(1, WINDOW, holes=0))[-1]
    assert [signal.conviction_bps for signal in signals] == [conviction] * 3
    assert all(type(signal.conviction_bps) is int for signal in signals)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("bps_per_unit", [0.0, 20_000.0])
def test_an_answer_that_is_no_number_is_no_signal(
    tmp_path: Path, answer: float, bps_per_unit: float
) -> None:
    voice = model(tmp_path, content=constant(answer), bps_per_unit=bps_per_unit)
    assert voice.meet(closes(1, WINDOW + 1, holes=0))[-2:] == [[], []]
    assert voice.abstained[Reason.NONSENSE] == 6


def test_nobody_speaks_before_the_window_is_known(tmp_path: Path) -> None:
    voice = model(tmp_path)
    spoken = [len(signals) for signals in voice.meet(closes(1, WINDOW + 2, holes=0))]
    assert spoken == [0] * (WINDOW - 1) + [3] * 3
    assert voice.abstained == {Reason.UNKNOWN: 3 * (WINDOW - 1)}


def without(told: list[Close], one: int, times: range) -> list[Close]:
    """The closes, where this instrument has no candle at these times."""
    told = list(told)
    for time in times:
        kept = tuple(candle for candle in told[time].candles if candle.instrument != one)
        told[time] = told[time]._replace(candles=kept, missing=(one,))
    return told


@pytest.mark.parametrize(("holes", "heard"), [(0, 3), (HOLES_MAX, 3), (HOLES_MAX + 1, 2)])
def test_an_instrument_with_too_many_holes_is_not_judged_and_the_others_are(
    tmp_path: Path, holes: int, heard: int
) -> None:
    voice = model(tmp_path)
    told = without(closes(1, WINDOW, holes=0), 1, range(40, 40 + holes))
    signals = voice.meet(told)[-1]
    expected = [0, 1, 2] if heard == 3 else [0, 2]
    assert [signal.instrument for signal in signals] == expected


def test_without_a_candle_at_the_close_there_is_no_signal(tmp_path: Path) -> None:
    voice = model(tmp_path)
    told = without(closes(1, WINDOW + 1, holes=0), 0, range(WINDOW, WINDOW + 1))
    assert [signal.instrument for signal in voice.meet(told)[-1]] == [1, 2]
    assert voice.abstained[Reason.ABSENT] == 1


def test_after_a_long_silence_a_model_begins_anew_and_takes_no_memory_for_it(
    tmp_path: Path,
) -> None:
    told, voice, fresh = closes(1, 3 * WINDOW, holes=0), model(tmp_path), model(tmp_path)
    years = 10**6 * HOUR
    later = [
        close._replace(at_ms=close.at_ms + years, opened_at_ms=close.opened_at_ms + years)
        for close in told[WINDOW:]
    ]
    spoken = voice.meet(told[:WINDOW] + later)
    assert spoken[WINDOW:] == fresh.meet(later)
    assert [len(signals) for signals in spoken[WINDOW:]] == [0] * (WINDOW - 1) + [3] * (WINDOW + 1)
    voice.warm(told[:0])
    assert voice.known.times == WINDOW


def test_a_model_is_a_voice_that_names_itself(tmp_path: Path) -> None:
    voice: Voice = model(tmp_path)
    assert voice.name == f"model {voice.model:012x}"
    assert voice.window == WINDOW
    assert voice.meet([]) == []


@pytest.mark.parametrize(("instruments", "timeframe_ms"), [(2, HOUR), (3, HOUR // 60)])
def test_a_model_made_for_other_candles_is_refused(
    tmp_path: Path, instruments: int, timeframe_ms: int
) -> None:
    artefact = trained(tmp_path, b"never read")
    with pytest.raises(ModelBroken, match="made for 3 instruments and candles of 3600 s"):
        Model(artefact, instruments, timeframe_ms, FREE)


def shaped(*nodes: tuple[str, list[str], list[str]]) -> bytes:
    onnx = pytest.importorskip("onnx", reason="networks are made with onnx: rrr[train]")
    axes = onnx.numpy_helper.from_array(np.array([0, 1, 2]), "axes")
    return graph([onnx.helper.make_node(*node) for node in nodes], [axes])


def test_a_network_that_cannot_be_run_is_broken(tmp_path: Path) -> None:
    contents = {
        "cannot be run": b"not a network",
        "cannot be run: ": shaped(("NoSuchOperator", ["x"], ["y"])),
        "answers": shaped(("ReduceMean", ["x"], ["y"])),
    }
    for words, content in contents.items():
        with pytest.raises(ModelBroken, match=f"{words}.* `rrr train`"):
            Model(trained(tmp_path, content), len(SYMBOLS), HOUR, FREE)


def test_the_daemon_loads_and_asks_a_model_without_torch_and_without_onnx(tmp_path: Path) -> None:
    artefact = trained(tmp_path, network())
    script = f"""
import sys
from pathlib import Path
from rrr.neural_network.abstaining import Terms
from rrr.neural_network.artefact import load
from rrr.neural_network.model import Model
assert "onnxruntime" not in sys.modules, "It costs half a second: only who needs it pays."
voice = Model(load(Path({str(artefact.folder)!r})), 3, {HOUR}, Terms(0.0))
print(voice.name, sorted({{"torch", "onnx", "onnxruntime"}} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stderr == ""
    assert ran.stdout == f"model {artefact.id:012x} ['onnxruntime']\n"


def test_the_tests_network_hears_every_feature(tmp_path: Path) -> None:
    voice = model(tmp_path)
    rows = features(panel_of(closes(2, WINDOW), 3, HOUR))[:, -32:]
    for number in range(len(FEATURES)):
        moved = rows.copy()
        moved[..., number] += 0.5
        assert (voice.network.asked(moved) != voice.network.asked(rows)).all()
