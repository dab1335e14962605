"""Every way to fail has a name, a way out, and an exit code of its own.

    RRRError                 1   (never raised itself; an uncaught exception also ends with 1)
      UsageError             2   the command line asks for something that does not exist
      Different              3   a replay does not match its journal
      NotArmed               4   live trading is asked for and something is missing
      NotProven              5   a gate refused a model, or only a proven one may do what is asked
      DataError             65   recorded market data is wrong: the row is named
      NotFound              66   a file, a symbol, a session that is not there
      Unavailable           69   nobody answers: no daemon runs
      HomeUnusable          73   the home cannot be created or written
      StorageFailed         74   the disk is full or fails
      HomeHeld              75   another daemon holds this home
      DatabaseRefused       76   a database of another mode, program or newer version
      JournalBroken         77   the journal does not hold together: the row is named
      ConfigError           78   a setting is wrong: the line is named
      ModelBroken           79   a model is not what was trained, or cannot be trained
      StrategyBroken        80   a strategy raises, or says what is no opinion: candle and line

A world that fails is one of these; a broken law is an `assert`; a business refusal is a value
(`core.rules.Refusal`). The table in docs/exit-codes.md is checked against this file.
"""

from typing import ClassVar


class RRRError(Exception):
    """What went wrong, and what to do about it: two sentences for a person."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what} {advice}")
        self.what = what
        self.advice = advice


class UsageError(RRRError):
    exit_code = 2


class Different(RRRError):
    exit_code = 3


class NotArmed(RRRError):
    exit_code = 4


class NotProven(RRRError):
    exit_code = 5


class DataError(RRRError):
    exit_code = 65


class NotFound(RRRError):
    exit_code = 66


class Unavailable(RRRError):
    exit_code = 69


class HomeUnusable(RRRError):
    exit_code = 73


class StorageFailed(RRRError):
    exit_code = 74


class HomeHeld(RRRError):
    exit_code = 75


class DatabaseRefused(RRRError):
    exit_code = 76


class JournalBroken(RRRError):
    exit_code = 77


class ConfigError(RRRError):
    exit_code = 78


class ModelBroken(RRRError):
    exit_code = 79


class StrategyBroken(RRRError):
    exit_code = 80
