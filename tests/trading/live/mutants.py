"""For each promise of live trading a build is broken on purpose, and a test must notice.

A mutant is one small change of one file, in a copy of the sources; the tests that guard its promise
run against that copy in a process of their own. One that they let pass is a promise nobody keeps.

    python -m tests.trading.live.mutants [WORD …]     those whose promise or change holds a word
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[3]
LIVE: Final = "trading/live"
FOUND: Final = 1  # pytest's word for tests that failed


class Mutant(NamedTuple):
    promise: str
    change: str
    file: str  # in the sources
    was: str  # once in the file
    becomes: str
    test: str  # in the tests: file and words of its name
    quick: bool = False  # in every run of the tests


AGENT: Final = "trading/live/test_agent.py"
LOOKOUT: Final = "trading/live/test_lookout.py"
WIRED: Final = "wiring/test_trading_live.py"
AMENDS: Final = "trading/live/test_agent_amends.py"

MUTANTS: Final = (
    Mutant(
        "what stays is never bare while a part is sold",
        "the stop is cancelled",
        "core/pursuit.py",
        "if law.stop_amends and amends(lane, instrument):",
        "if law.stop_amends and lane.due >= 0 and amends(lane, instrument):",
        f"{AMENDS}::test_a_part_is_sold",
        quick=True,
    ),
    Mutant(
        "silence about an amendment is looked into",
        "taken for a refusal",
        f"{LIVE}/amending.py",
        "if not waits or is_silent(outcome):",
        "if not waits:",
        f"{AMENDS}::test_silence_is_looked_into",
    ),
    Mutant(
        "what is older than an amendment is not believed",
        "any quantity is",
        f"{LIVE}/amending.py",
        "if wished is not None and claim.quantity != wished.quantity and not over:",
        "if False:",
        f"{AMENDS}::test_an_answer_from_before",
    ),
    Mutant(
        "intent is on the disk before an order leaves",
        "sent before the commit",
        "trading/engine/engine.py",
        "        await self.db.write(write, durable=self.book == PRINCIPAL)\n"
        "        self.world, self.committed = batch.world, batch.head\n"
        "        for record, state in batch.told:\n"
        "            await self.venue.carry(record, state)\n",
        "        for record, state in batch.told:\n"
        "            await self.venue.carry(record, state)\n"
        "        await __import__('asyncio').sleep(1)\n"
        "        await self.db.write(write)\n"
        "        self.world, self.committed = batch.world, batch.head\n",
        f"{AGENT}::test_intent_and_sending",
        quick=True,
    ),
    Mutant(
        "SENDING is on the disk before an order leaves",
        "written as an intent only",
        f"{LIVE}/agent.py",
        "Progress.NEW if stays else Progress.SENDING",
        "Progress.NEW",
        f"{AGENT}::test_intent_and_sending",
        quick=True,
    ),
    Mutant(
        "what nobody answered is UNKNOWN",
        "told as rejected",
        f"{LIVE}/agent.py",
        "outcomes.Kind.UNKNOWN: (Status.UNKNOWN, Progress.UNKNOWN)",
        "outcomes.Kind.UNKNOWN: (Status.REJECTED, Progress.REJECTED)",
        f"{AGENT}::test_an_order_whose_answer_was_lost",
        quick=True,
    ),
    Mutant(
        "no order is sent twice",
        "an unknown one is sent again",
        f"{LIVE}/agent.py",
        "if outcome.kind is not outcomes.Kind.REJECTED or not passing:",
        "if outcome.kind is outcomes.Kind.CONFIRMED:",
        f"{AGENT}::test_an_order_that_is_not_there",
    ),
    Mutant(
        "only a passing refusal is said again",
        "each refusal is",
        f"{LIVE}/agent.py",
        "if outcome.kind is not outcomes.Kind.REJECTED or not passing:",
        "if outcome.kind is not outcomes.Kind.REJECTED:",
        f"{AGENT}::test_only_a_passing_refusal",
    ),
    Mutant(
        "a query that failed proves nothing",
        "a round that failed is a miss",
        f"{LIVE}/lookup.py",
        "search.verdict != Verdict.UNKNOWN or not round.whole or round.maybe",
        "search.verdict != Verdict.UNKNOWN or round.maybe",
        f"{AGENT}::test_a_query_that_failed",
    ),
    Mutant(
        "an order is looked up until it is found or surely not there",
        "given up after a query that failed",
        f"{LIVE}/lookout.py",
        "        if isinstance(found, Outcome):\n            return search\n",
        "        if isinstance(found, Outcome):\n"
        "            self.agent.memory.known[sequence] = known._replace(progress=5)\n"
        "            return search\n",
        f"{AGENT}::test_who_dies_before_the_answer or test_a_look_up_that_failed",
    ),
    Mutant(
        "a fill is booked once",
        "the trade's id is not remembered",
        f"{LIVE}/memory.py",
        "        self.trades |= {one.trade_id for one in trades}\n",
        "",
        f"{AGENT}::test_a_fill_is_booked_once",
        quick=True,
    ),
    Mutant(
        "what is another's is never adopted",
        "a stranger's trade is the last order's",
        f"{LIVE}/reconcile.py",
        "self.names.get(order, 0)",
        "self.names.get(order, max(self.known, default=0))",
        f"{LOOKOUT}::test_a_strangers_trade",
    ),
    Mutant(
        "what a list lacks is not gone",
        "gone from an open list is gone",
        f"{LIVE}/reconcile.py",
        "if never_left or (order.sequence in self.book.gone and",
        "if never_left or (order.progress == Progress.PLACED and",
        f"{LOOKOUT}::test_a_list_that_lacks_an_order",
    ),
    Mutant(
        "what is gone is missed",
        "a search is forgotten after each look",
        f"{LIVE}/lookout.py",
        "if not again.is_set() and not missed and",
        "if not again.is_set() and",
        f"{LOOKOUT}::test_a_stop_that_is_gone",
    ),
    Mutant(
        "a withdrawal is no loss",
        "cash falls, and the peak stays",
        "core/kernel.py",
        "rules.flowed(ledger.flow(state.account, event.amount), event.amount)",
        "ledger.flow(state.account, event.amount)",
        f"{LOOKOUT}::test_a_withdrawal",
    ),
    Mutant(
        "a position is under a stop of its own size",
        "a stop stays as it was after a partial fill",
        "core/pursuit.py",
        "return 1 if bare >= 0 and bare < instrument.lot else 0",
        "return 1",
        f"{AGENT}::test_a_purchase_that_fills_later",
    ),
    Mutant(
        "an exit goes first",
        "whoever came first does",
        f"{LIVE}/gate.py",
        "heappush(self._waiting, (rank, next(self._numbers), came))",
        "heappush(self._waiting, (0 * rank, next(self._numbers), came))",
        "trading/live/test_gate.py::test_an_exit_overtakes",
        quick=True,
    ),
    Mutant(
        "a question never holds up a sale",
        "questions take every place",
        f"{LIVE}/gate.py",
        "QUESTIONS: Final = 1",
        "QUESTIONS: Final = 4",
        "trading/live/test_gate.py::test_questions_that_hang",
    ),
    Mutant(
        "caps outlive a process",
        "the wall forgets at a restart",
        "wiring/trading_live.py",
        "        agent.wall.recall(",
        "        list(",
        f"{WIRED}::test_what_was_bought_today",
    ),
    Mutant(
        "a sale meets no wall",
        "it meets all of them",
        f"{LIVE}/walls.py",
        "        if order.side == Side.SELL:\n            return None\n",
        "",
        f"{AGENT}::test_a_sale_passes_the_wall",
    ),
    Mutant(
        "the beginning is small",
        "the ramp never binds",
        f"{LIVE}/ramp.py",
        "return caps.order_notional_max if climbed else caps.ramp_notional_max",
        "return caps.order_notional_max",
        f"{WIRED}::test_the_ramp",
    ),
    Mutant(
        "whoever dies and dies again opens nothing",
        "a crash loop goes on",
        "wiring/trading_live.py",
        "if crashes >= self.settings.live.crash_starts_max:",
        "if crashes < 0:",
        f"{WIRED}::test_whoever_dies_and_dies_again",
    ),
    Mutant(
        "what differs is only reduced",
        "what is frozen is bought",
        f"{LIVE}/walls.py",
        "if i in self.frozen:",
        "if i in ():",
        "trading/live/test_walls.py::test_each_wall",
    ),
    Mutant(
        "what differs is only reduced",
        "the wall never hears of it",
        f"{LIVE}/agent.py",
        "        self.wall.frozen = {",
        "        _ = {",
        f"{LOOKOUT}::test_balances_that_differ",
    ),
    Mutant(
        "stamps only rise",
        "a stamp repeats",
        "data_pipeline/private_client.py",
        "last = max(stamp(), last + 1)",
        "last = max(stamp(), last)",
        "data_pipeline/test_private_client.py::test_a_stamp_never_repeats",
    ),
    Mutant(
        "who may not sell asks again",
        "the next close must ask",
        f"{LIVE}/agent.py",
        "                self.later(self._again(order, outcome.rejection))\n",
        "                pass\n",
        f"{AGENT}::test_whoever_may_not_sell",
    ),
    Mutant(
        "a cancel waits for what it cancels",
        "it overtakes the order",
        f"{LIVE}/agent.py",
        "                await errand.over.wait()  # it is not there yet\n",
        "                pass\n",
        f"{AGENT}::test_a_cancel_waits",
    ),
    Mutant(
        "nothing is decided before the account is known",
        "an answer that is not whole is enough",
        f"{LIVE}/lookout.py",
        "    return is_whole(found)\n\n\ndef _sought_from",
        "    return True\n\n\ndef _sought_from",
        f"{LOOKOUT}::test_a_start_asks_again",
    ),
    Mutant(
        "another book is never left alone",
        "its orders are",
        "wiring/trading_live.py",
        "if (new or other != key) and (held or working):",
        "if (new or other != key) and held:",
        f"{WIRED}::test_another_book_with_an_order",
    ),
    Mutant(
        "balances are believed only where nothing moved",
        "they always are",
        f"{LIVE}/lookout.py",
        "if not moved and not self._moves and before == self._held:",
        "if True:",
        f"{LOOKOUT}::test_balances_are_not_believed",
    ),
    Mutant(
        "whoever stops it is heard",
        "a hint may swallow who cancels",
        f"{LIVE}/lookout.py",
        "        async with asyncio.timeout(seconds):  # Python 3.11's `wait_for` may swallow"
        " who cancels\n            await event.wait()\n",
        "        while not event.is_set():\n"
        "            try:\n"
        "                await asyncio.wait_for(event.wait(), seconds)\n"
        "            except asyncio.CancelledError:\n"
        "                pass\n",
        f"{LOOKOUT}::test_whoever_stops_it",
    ),
    Mutant(
        "only who types the venue's name moves money",
        "any word does",
        "cli/armed.py",
        "return line().strip() == venue",
        "return bool(line())",
        "test_cli_armed.py::test_",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD")
    words = parser.parse_args().words
    chosen = [m for m in MUTANTS if not words or any(w in m.promise + m.change for w in words)]
    begun_s, survivors = time.monotonic(), 0
    for mutant in chosen:
        caught = caught_by(mutant)
        survivors += not caught
        told = (mutant.promise, mutant.change, caught or "NOBODY")
        print("{:<60} | {:<42} | {}".format(*told), flush=True)  # noqa: T201
    took_s = time.monotonic() - begun_s
    print(f"{len(chosen)} mutants in {took_s:.0f} s, {survivors} survive")  # noqa: T201
    return 1 if survivors or not chosen else 0


def caught_by(mutant: Mutant) -> str:
    """The first test that fails against it; or nothing."""
    with broken(mutant) as sources:
        return failing(mutant.test, sources)


@contextmanager
def broken(mutant: Mutant) -> Iterator[Path]:
    """A copy of the sources with its one change."""
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "src"
        shutil.copytree(ROOT / "src", sources, ignore=shutil.ignore_patterns("__pycache__"))
        file = sources / "rrr" / mutant.file
        text = file.read_text("utf-8")
        assert text.count(mutant.was) == 1, f"{mutant.change}: {mutant.file} is another by now."
        file.write_text(text.replace(mutant.was, mutant.becomes), "utf-8")
        yield sources


def failing(test: str, sources: Path) -> str:
    """The first test of these that fails against these sources."""
    file, _, named = test.partition("::")
    options = ("-x", "-q", "--tb=no", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist")
    ended = run([f"tests/{file}", *options, "-k", named], sources)
    if ended.returncode == 0:
        return ""
    assert ended.returncode == FOUND, f"{test}: {ended.stdout}{ended.stderr}"
    lines = [line for line in ended.stdout.splitlines() if line.startswith("FAILED ")]
    return lines[0].removeprefix("FAILED tests/").partition(" - ")[0]


def run(words: Sequence[str], sources: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(sources), str(ROOT)))}
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
