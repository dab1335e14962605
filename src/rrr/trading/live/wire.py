"""What is said to a venue comes back as data or as an `Outcome`: nothing of ccxt's leaves here.

Around an instance that somebody else made and that knows its markets. Each call is overheard: what
left, and each answer as it came. A list counts only if every answer behind it was whole and its
last page was read, so that silence is never an empty list. A cancelled task stays cancelled: its
order is what it was before, on its way, and will be looked up.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Final

from rrr.core.orders import Rejection
from rrr.trading.live import asking, outcomes
from rrr.trading.live.asking import Question
from rrr.trading.live.outcomes import Heard, Kind, Outcome
from rrr.trading.live.spelling import Request, Verb

Row = dict[str, Any]

PAGES_MAX: Final = 200
TRIES: Final = 3

# What ccxt stumbles over when an answer has another shape than it expects.
MISREAD: Final = (
    TypeError,
    AttributeError,
    LookupError,
    ValueError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
)

_PRICE_PARAMS: Final = ("stopLossPrice", "triggerPrice", "trailingAmount")

_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)


class Wire:
    """`exits` marks what may spend the reserve of the budget: it is held while such a call runs."""

    def __init__(
        self,
        ccxt: Any,
        pairs: Sequence[str],
        exits: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        assert ccxt.markets, "Whoever makes the instance lets it load its markets."
        self.venue: str = ccxt.id
        self.pairs = tuple(pairs)
        self._ccxt = ccxt
        self.exits = exits
        self._fetch, self._answered = ccxt.fetch, ccxt.on_rest_response
        ccxt.fetch, ccxt.on_rest_response = self._leaves, self._comes

    @property
    def there(self) -> tuple[str, ...]:
        """The pairs that the venue still has: a question about another is no answer at all."""
        return tuple(pair for pair in self.pairs if pair in self._ccxt.markets)

    async def send(self, request: Request) -> Outcome:
        refused = _rounded(self._ccxt, request)
        return refused or await self._told(request)

    async def amend(self, request: Request) -> Outcome:
        return await self.send(request)

    async def cancel(self, request: Request) -> Outcome:
        return await self._told(request)

    async def look_up(
        self, pair: str, kind: int, client_id: str, since_ms: int
    ) -> list[Row] | Outcome:
        """The orders of this name as the venue has them; nothing only if it has surely none.

        One that ended between two questions is told once: as it is by the later answer.
        """
        questions = asking.look_up(self.venue, pair, kind, client_id, since_ms)
        rows = await self._all(questions)
        if isinstance(rows, Outcome):
            return rows
        ours = [row for row in rows if row.get("clientOrderId") == client_id]
        named = any(client_id in each.request.params.values() for each in questions)
        if rows and not ours and named:
            return Outcome(Kind.UNKNOWN, words=f"{self.venue} answers with another order")
        return list({row.get("id"): row for row in ours}.values())

    async def find(self, pair: str, kind: int, venue_id: str) -> list[Row] | Outcome:
        """The order of this name of the venue's own, by one question; nothing proves nothing."""
        question = asking.find(self.venue, pair, kind, venue_id)
        if question is None or not venue_id:
            return []
        rows = await self._all([question])
        if isinstance(rows, Outcome):
            return rows
        return [row for row in rows if row.get("id") == venue_id]

    async def open_orders(self) -> list[Row] | Outcome:
        return await self._all(asking.open_orders(self.venue, self.there))

    async def closed_orders(self, since_ms: int) -> list[Row] | Outcome:
        return await self._all(asking.closed_orders(self.venue, self.there, since_ms))

    async def trades(self, since_ms: int) -> list[Row] | Outcome:
        return await self._all(asking.trades(self.venue, self.there, since_ms))

    async def balances(self) -> Row | Outcome:
        answer, outcome, _ = await self._asked(asking.balances(self.venue))
        return answer if outcome is None else outcome

    async def ledger(self, codes: Sequence[str], since_ms: int) -> list[Row] | Outcome:
        now_ms = int(self._ccxt.milliseconds())
        if (question := asking.accounts(self.venue)) is not None:
            there = await self._all([question])
            if isinstance(there, Outcome):
                return there
            named = {row.get("code") for row in there}
            codes = [code for code in codes if code in named]  # the others never held anything
        return await self._all(asking.ledger(self.venue, codes, since_ms, now_ms))

    async def fees(self) -> dict[str, tuple[int, int]] | Outcome:
        """Of each pair: what a taker pays and what a maker, in millionths, rounded against us."""
        rates: dict[str, tuple[int, int]] = {}
        for request in asking.fees(self.venue, self.there):
            answer, outcome, heard = await self._asked(request)
            if outcome is not None:
                return outcome
            try:
                told = dict.fromkeys(request.arguments, answer) or answer
                for pair in request.arguments or self.there:
                    rates[pair] = _ppm(told[pair]["taker"]), _ppm(told[pair]["maker"])
            except MISREAD as error:
                return outcomes.judged(error, request, heard)
        return rates

    async def _told(self, request: Request) -> Outcome:
        _, error, heard = await self._called(request)
        return outcomes.judged(error, request, heard)

    async def _all(self, questions: Sequence[Question]) -> list[Row] | Outcome:
        """The answers to all, or what became of the first that failed."""
        rows: list[Row] = []
        for question in questions:
            found = await self._pages(question)
            if isinstance(found, Outcome):
                return found
            rows += found
        return rows

    async def _pages(self, question: Question) -> list[Row] | Outcome:
        rows: list[Row] = []
        request = question.request
        for _ in range(PAGES_MAX):
            page, outcome, heard = await self._asked(request)
            if outcome is not None:
                return outcome
            if page is None:
                return rows
            page = page if isinstance(page, list) else [page]
            try:
                if request.verb is Verb.LIST and len(page) != question.held(heard.body):
                    return Outcome(Kind.UNKNOWN, words=f"{request.method}: ccxt left rows out")
                rows += [entry for row in page for entry in question.told(row)]
                following = question.follow(request, heard.body)
            except MISREAD as error:
                return outcomes.judged(error, request, heard)
            if following is None:
                return rows
            if following == request:
                break
            request = following
        return Outcome(Kind.UNKNOWN, words=f"{request.method}: its last page cannot be reached")

    async def _asked(self, request: Request) -> tuple[Any, Outcome | None, Heard]:
        """The answer, or what became of the question; an order that there is not is None.

        A stamp that was overtaken on its way is no answer: it is asked again.
        """
        for _ in range(TRIES):
            answer, error, heard = await self._called(request)
            if type(error).__name__ != "InvalidNonce":
                break
        if error is not None and outcomes.missing(error, request, heard):
            return None, None, heard
        outcome = outcomes.judged(error, request, heard)
        return (answer, None if outcome.kind is Kind.CONFIRMED else outcome, heard)

    async def _called(self, request: Request) -> tuple[Any, Exception | None, Heard]:
        from ccxt.base.errors import BaseError

        heard = Heard()
        with self.exits() if request.urgent else nullcontext():
            token = _heard.set(heard)
            try:
                method = getattr(self._ccxt, request.method)
                answer = await method(*request.arguments, params=dict(request.params))
            except (BaseError, OSError, *MISREAD) as error:
                return None, error, heard
            finally:
                _heard.reset(token)
        return answer, None, heard

    async def _leaves(self, *details: Any, **named: Any) -> Any:
        heard = _heard.get()
        if heard is not None:
            heard.left += 1
        return await self._fetch(*details, **named)

    def _comes(
        self, status: int, reason: str, url: str, method: str, headers: Any, body: str, *more: Any
    ) -> Any:
        heard = _heard.get()
        if heard is not None:
            heard.answers.append((status, body))
        return self._answered(status, reason, url, method, headers, body, *more)


def _ppm(rate: object) -> int:
    """A float stands for its shortest text; raise ValueError or ArithmeticError for what is none.

    >>> _ppm(0.0026), _ppm("0.00007125"), _ppm(-0.00001)
    (2600, 72, -10)
    """
    number = Decimal(str(rate))
    if not abs(number) < 1:
        raise ValueError(f"{rate!r} is no rate of a fee.")
    return int(number.scaleb(6).to_integral_value(ROUND_CEILING))


def _rounded(ccxt: Any, request: Request) -> Outcome | None:
    """A refusal if ccxt, which rounds in silence, would send other figures than these."""
    from ccxt.base.errors import BaseError

    pair, _, _, amount, price = request.arguments[-5:]
    prices = [price, *(request.params.get(name) for name in _PRICE_PARAMS)]
    figures = [(ccxt.amount_to_precision, amount, Rejection.QUANTITY_GRID)]
    figures += [(ccxt.price_to_precision, each, Rejection.PRICE_GRID) for each in prices if each]
    for precision, figure, rejection in figures:
        try:
            sent = precision(pair, figure)
            same = Decimal(sent) == Decimal(figure)
        except (BaseError, InvalidOperation, *MISREAD) as error:
            sent, same = type(error).__name__, False
        if not same:
            words = f"{pair}: {figure} would leave as {sent}: the venue's rules have changed"
            return Outcome(Kind.REJECTED, rejection, words)
    return None
