"""A text is escaped unless it is already HTML: no name of a symbol can become markup."""

import html
import json
from typing import Any

from rrr.monitoring.words import printable


class Html(str):
    """Markup that may be put into a page as it is."""

    __slots__ = ()


def el(tag: str, *inside: str, **attributes: str | bool | None) -> Html:
    """An element; `class_` is its class, `aria_label` its aria-label, and what is None is left out.

    >>> el("td", "a < b", class_="number", hidden=True)
    '<td class="number" hidden>a &lt; b</td>'
    """
    return Html(f"{start(tag, **attributes)}{joined(*inside)}</{tag}>")


def start(tag: str, **attributes: str | bool | None) -> Html:
    """
    >>> start("meta", name="a", content='"')
    '<meta name="a" content="&quot;">'
    """
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(printable(str(value)))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{said}>")


def joined(*inside: str) -> Html:
    return Html("".join(one if isinstance(one, Html) else _escaped(one) for one in inside))


def json_in_html(data: Any) -> Html:
    r"""JSON that no parser of HTML can mistake for the end of its element.

    >>> json_in_html({"symbol": "</script>"})
    '{"symbol":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Html(text)


def _escaped(text: str) -> str:
    return html.escape(printable(text), quote=False)
