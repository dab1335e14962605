"""An order is not placed only when nothing could hide it any more."""

from itertools import pairwise
from random import Random
from typing import Final

import pytest

from rrr.core.orders import Side
from rrr.database.live import Known, Progress
from rrr.trading.live import claims
from rrr.trading.live.claims import FAILED, Answer, Claims, OrderClaim, Standing, TradeClaim
from rrr.trading.live.lookup import PATIENCE, Round, Search, Verdict, heard, next_at_ms, round_of

SENT: Final = 10**12
MISS: Final = Round(SENT, whole=True, found=False, maybe=False)
ORDER: Final = Known(7, 0, Side.BUY, 100, Progress.UNKNOWN, "rrr-7", sending_at_ms=SENT)
CLAIM: Final = OrderClaim("O1", 7, 0, 0, Standing.OPEN, "")
TRADE: Final = TradeClaim(
    SENT, "T1", "O1", 0, 0, Side.BUY, 100, 1, 1, 0, 0, 0, "", 0, 0, (), (), ""
)
NOTHING: Final[Answer[OrderClaim]] = Answer((), True, SENT - 10**6)
NO_TRADE: Final[Answer[TradeClaim]] = Answer((), True, SENT - 10**6)
ASKED: Final = Claims(SENT + 1, NOTHING, NOTHING, NO_TRADE, FAILED, FAILED)


def after(*rounds: Round) -> Search:
    search = Search(SENT)
    for round in rounds:
        search = heard(search, round)
    return search


def misses(*seconds: float) -> list[Round]:
    return [MISS._replace(asked_at_ms=SENT + int(at * 1_000)) for at in seconds]


def test_misses_over_a_long_time_say_that_it_was_not_placed() -> None:
    assert after(*misses(15, 30, 45, 60)).verdict == Verdict.NOT_PLACED


@pytest.mark.parametrize(
    "rounds",
    [
        misses(15, 30, 45),
        misses(15, 30, 45, 59.9),
        misses(15, 60, 60.1, 60.2),
        misses(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
        misses(-60, -45, -30, -15),
        misses(*range(15, 31)),
    ],
)
def test_few_misses_or_hurried_ones_say_nothing(rounds: list[Round]) -> None:
    assert after(*rounds).verdict == Verdict.UNKNOWN


@pytest.mark.parametrize("doubt", [{"whole": False}, {"maybe": True}])
def test_a_round_that_failed_or_that_saw_something_is_no_miss(doubt: dict[str, bool]) -> None:
    doubted = [one._replace(**doubt) for one in misses(*range(15, 1_000, 15))]
    assert after(*doubted).verdict == Verdict.UNKNOWN
    assert after(*misses(15, 30, 45), *doubted[3:]).verdict == Verdict.UNKNOWN


def test_what_is_found_has_landed_whatever_was_said_before() -> None:
    found = MISS._replace(asked_at_ms=SENT + 70_000, found=True)
    assert after(found._replace(whole=False, maybe=True)).verdict == Verdict.LANDED
    assert after(*misses(15, 30, 45, 60), found).verdict == Verdict.LANDED
    assert after(found, *misses(*range(15, 500, 15))).verdict == Verdict.LANDED


def test_the_first_question_comes_at_once_and_the_last_when_patience_ends() -> None:
    search, asked = Search(SENT), []
    while search.verdict == Verdict.UNKNOWN:
        asked.append(next_at_ms(search) - SENT)
        search = heard(search, MISS._replace(asked_at_ms=next_at_ms(search)))
    assert asked[0] <= 1_000
    assert PATIENCE.span_ms <= asked[-1] < 2 * PATIENCE.span_ms
    steps = [later - earlier for earlier, later in pairwise(asked)]
    assert steps == sorted(steps)
    assert max(steps) == PATIENCE.apart_ms


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        (ASKED, (True, False, False)),
        (ASKED._replace(open=FAILED), (False, False, False)),
        (ASKED._replace(closed=FAILED), (False, False, False)),
        (ASKED._replace(trades=FAILED), (False, False, False)),
        (ASKED._replace(closed=NOTHING._replace(since_ms=SENT - 1)), (False, False, False)),
        (ASKED._replace(trades=NO_TRADE._replace(since_ms=SENT)), (False, False, False)),
        (ASKED._replace(open=Answer((CLAIM,), True)), (True, True, False)),
        (ASKED._replace(open=Answer((CLAIM,), False)), (False, True, False)),
        (ASKED._replace(closed=Answer((CLAIM,), True)), (True, True, False)),
        (ASKED._replace(open=Answer((CLAIM._replace(sequence=8),), True)), (True, False, False)),
        (ASKED._replace(open=Answer((CLAIM._replace(instrument=1),), True)), (True, False, False)),
        (ASKED._replace(trades=Answer((TRADE,), True)), (True, False, True)),
        (ASKED._replace(trades=Answer((TRADE._replace(sequence=7),), True)), (True, True, True)),
        (ASKED._replace(trades=Answer((TRADE._replace(side=-1),), True)), (True, False, False)),
        (
            ASKED._replace(trades=Answer((TRADE._replace(quantity=101),), True)),
            (True, False, False),
        ),
        (ASKED._replace(trades=Answer((TRADE._replace(at_ms=1),), True)), (True, False, False)),
    ],
)
def test_a_round_says_what_all_of_its_questions_said(
    venue: Claims, expected: tuple[bool, bool, bool]
) -> None:
    assert round_of(ORDER, venue)[1:] == expected


def test_a_trade_of_an_order_that_is_known_to_be_anothers_raises_no_doubt() -> None:
    others = Answer((CLAIM._replace(sequence=0),), True)
    venue = ASKED._replace(closed=others, trades=Answer((TRADE,), True))
    assert not round_of(ORDER, venue).maybe


def test_a_trade_under_the_name_that_the_venue_gave_is_its_own() -> None:
    named = ORDER._replace(venue_id="O1")
    assert round_of(named, ASKED._replace(trades=Answer((TRADE,), True))).found


def test_no_order_that_lands_within_the_span_is_ever_called_not_placed() -> None:
    """Landing late, behind a replica that lags, with questions that fail: 2,000 searches."""
    dice, verdicts = Random(1), []
    for _ in range(2_000):
        landed = SENT + dice.randrange(25_000) if dice.random() < 0.5 else None
        lag, search = dice.randrange(30_000), Search(SENT)
        while search.verdict == Verdict.UNKNOWN:
            at_ms = next_at_ms(search) + dice.randrange(3_000)
            sees = at_ms - (lag if dice.random() < 0.7 else 0)
            found = landed is not None and sees >= landed
            answered = dice.random() < 0.8
            search = heard(search, Round(at_ms, answered, found and answered, False))
        assert search.verdict == (Verdict.NOT_PLACED if landed is None else Verdict.LANDED)
        verdicts.append(search.verdict)
    assert {*verdicts} == {Verdict.LANDED, Verdict.NOT_PLACED}


def test_the_answers_of_a_venue_make_a_round() -> None:
    reading = claims.Reading((), {"rrr-7": 7}.get)
    raw = {"id": "O1", "clientOrderId": "rrr-7", "symbol": "BTC/USD", "status": "open"}
    answer = claims.orders([raw], reading)
    elsewhere = ORDER._replace(instrument=claims.ELSEWHERE)
    assert round_of(elsewhere, ASKED._replace(open=answer)).found
