"""A secret that was read anywhere is stars wherever it leaves, however it is spelled or cut.

Whoever reads a secret teaches it here at once, and every door (terminal, standard output and error,
logs, database) lets its words through `hushed`. Stars stand for a secret as it is, as in an
address, in JSON, in `repr`, in base64 wherever it begins in it, for each line of one that has
several, and for what a line that was cut short still shows of any of these, at either end.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

STARS: Final = "*" * 8
PIECE_MIN: Final = 6  # letters at an end of a line that tell something of a secret
INSIDE_MIN: Final = 12  # of a line that is nothing but the middle of one
CUT: Final = "… .,:;'\"`)}]\\\r"  # what may follow where a line was cut


class Secrets:
    """What must not be shown."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(value.strip() for value in values) - {""}
        forms = {form for value in self.values for form in _forms(value)}
        self._longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._whole = re.compile("|".join(map(re.escape, self._longest_first)) or r"(?!)")

    def hushed(self, text: str) -> str:
        """
        >>> Secrets(["pa55/word"]).hushed("GET /?key=pa55%2Fword, then pa55/w…")
        'GET /?key=********, then ********…'
        """
        if not self.values:
            return text
        text = self._whole.sub(STARS, text)
        return "\n".join(map(self._edges, text.split("\n")))

    def within(self, value: Any) -> Any:
        """The same, of all that JSON can hold."""
        if not self.values:
            return value
        match value:
            case str():
                return self.hushed(value)
            case Mapping():
                return {self.hushed(k): self.within(each) for k, each in value.items()}
            case list():
                return [self.within(each) for each in value]
        return STARS if self._whole.search(str(value)) else value

    def _edges(self, line: str) -> str:
        for form in self._longest_first:
            if len(form) > PIECE_MIN:
                line = _without_end(_without_beginning(line, form), form)
        return line


_known = Secrets()


def learn(*values: str) -> None:
    """From now on nothing of these is shown by this process.

    What is shorter than a piece is no secret, and stars for each `1` would hide all else.
    """
    global _known
    telling = (value for value in values if len(value.strip()) >= PIECE_MIN)
    _known = Secrets(_known.values.union(telling))


def forget() -> None:
    """Whatever runs next in this process has secrets of its own."""
    global _known
    _known = Secrets()


def hushed(text: str) -> str:
    return _known.hushed(text)


def hushed_within(value: Any) -> Any:
    return _known.within(value)


def _forms(secret: str) -> Iterator[str]:
    import json
    from urllib.parse import quote, quote_plus

    lines = [line.strip() for line in secret.split("\n")] if "\n" in secret else []
    for text in (secret, *(line for line in lines if len(line) > PIECE_MIN)):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        for coded in (text, *_in_base64(text)):
            yield from (coded, quote(coded, safe=""), quote_plus(coded))
            yield re.sub("%..", lambda code: code[0].lower(), quote(coded, safe=""))


def _in_base64(secret: str) -> Iterator[str]:
    """As much of it as its own bytes decide, whatever stands before and after it."""
    from base64 import b64encode, urlsafe_b64encode

    content = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        first, last = (0, 2, 3)[before], -((0, 3, 2)[(before + len(content)) % 3]) or None
        for encode in (b64encode, urlsafe_b64encode):
            coded = encode(bytes(before) + content).decode()[first:last]
            if len(coded) > PIECE_MIN:
                yield coded


def _without_end(line: str, form: str) -> str:
    """Without a beginning of the secret that the line ends with."""
    kept = line.rstrip(CUT)
    at = kept.find(form[:PIECE_MIN])
    while at >= 0:
        if form.startswith(kept[at:]):
            return line[:at] + STARS + line[len(kept) :]
        at = kept.find(form[:PIECE_MIN], at + 1)
    return line


def _without_beginning(line: str, form: str) -> str:
    """Without an end of the secret that the line begins with, or any part that is all of it."""
    kept = line.lstrip("… '\"`({[\r")
    gone = len(line) - len(kept)
    part = kept.rstrip(CUT)
    if len(part) >= INSIDE_MIN and part in form:
        return line[:gone] + STARS + kept[len(part) :]
    at = kept.rfind(form[-PIECE_MIN:], 0, len(form))
    while at >= 0:
        end = at + PIECE_MIN
        if form.endswith(kept[:end]):
            return line[:gone] + STARS + kept[end:]
        at = kept.rfind(form[-PIECE_MIN:], 0, end - 1)
    return line
