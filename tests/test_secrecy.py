"""Whatever is done to a secret on its way out, stars arrive; and what is no secret stays."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr import secrecy
from rrr.secrecy import PIECE_MIN, STARS, Secrets

KEY = "c4n4ry+coal/mine==9f8e7d"
PEM = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIJ5yFq0canaryYb3Vg0kq1Z4qk2m9u1Qb7w\n"
    "AwEHoUQDQgAEcanaryK0m8vS3x\n"
    "-----END EC PRIVATE KEY-----\n"
)
SPELLINGS = {
    "as it is": KEY,
    "in an address": quote(KEY, safe=""),
    "in an address, in small letters": quote(KEY, safe="").lower().replace("%2b", "%2b"),
    "in a form": quote_plus(KEY),
    "in JSON": json.dumps({"key": KEY}),
    "in a header": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode(),
    "behind a name": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode(),
    "behind another": "Basic " + base64.b64encode(f"you:{KEY}!!".encode()).decode(),
    "in an address of base64": quote(base64.urlsafe_b64encode(KEY.encode()).decode()),
    "in a repr": repr({"key": KEY}),
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_stars_however_it_is_spelled(text: str) -> None:
    said = Secrets([KEY]).hushed(f"GET {text} HTTP/1.1")
    assert STARS in said
    assert said.startswith("GET ") and said.endswith(" HTTP/1.1")
    assert not any(piece in said for piece in pieces(text) & every_piece())


@pytest.mark.parametrize("shown", range(PIECE_MIN, len(KEY)))
@pytest.mark.parametrize("ending", ["", "…", "...", "'", '",', "\r"])
def test_what_a_cut_line_still_shows_of_it_is_stars(shown: int, ending: str) -> None:
    secrets = Secrets([KEY])
    assert secrets.hushed(f"GET /?key={KEY[:shown]}{ending}") == f"GET /?key={STARS}{ending}"
    assert secrets.hushed(f"…{KEY[-shown:]} was sent") == f"…{STARS} was sent"
    assert secrets.hushed(f"a\n{KEY[:shown]}\nb") == f"a\n{STARS}\nb"


def test_a_line_that_is_the_middle_of_one_is_stars() -> None:
    assert Secrets([KEY]).hushed(f"a\n  {KEY[3:20]}\nb") == f"a\n  {STARS}\nb"


def test_each_line_of_a_key_of_several_lines_is_stars() -> None:
    secrets = Secrets([PEM])
    for line in PEM.strip().split("\n")[1:-1]:
        assert line[:12] not in secrets.hushed(f"  {line[:-3]}")
        assert line not in secrets.hushed(f"it holds {line} somewhere")
    assert secrets.hushed(PEM) == f"{STARS}\n"
    assert secrets.hushed(json.dumps(PEM)).count("canary") == 0


@given(st.text(max_size=60))
def test_what_holds_no_piece_of_it_stays_as_it_is(text: str) -> None:
    if not pieces(text) & every_piece():
        assert Secrets([KEY]).hushed(text) == text


@given(
    st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(lambda s: s.strip() == s),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_no_secret_of_any_letters_passes(secret: str, before: str, after: str) -> None:
    said = Secrets([secret]).hushed(before + secret + after)
    assert secret not in said.replace(STARS, "\0")
    assert quote(secret, safe="") not in Secrets([secret]).hushed(quote(secret, safe=""))


def test_of_two_secrets_the_longer_one_leaves_no_end_of_it() -> None:
    assert Secrets(["abcdefgh", "abcdefghijkl"]).hushed("see abcdefghijkl") == f"see {STARS}"


def test_nothing_is_hidden_where_there_is_no_secret() -> None:
    assert Secrets(["", "  "]).hushed("a line") == "a line"
    assert Secrets().within({"a": [1]}) == {"a": [1]}


def test_all_that_json_holds_is_looked_through() -> None:
    told = {"a": [KEY, 5, None], KEY: {"b": KEY}, "n": 12345678, "f": 1.5}
    secrets = Secrets([KEY, "12345678"])
    assert secrets.within(told) == {
        "a": [STARS, 5, None],
        STARS: {"b": STARS},
        "n": STARS,
        "f": 1.5,
    }


def test_what_is_learned_is_hushed_at_once_and_everywhere_until_it_is_forgotten() -> None:
    assert secrecy.hushed(f"it is {KEY}") == f"it is {KEY}"
    secrecy.learn(KEY)
    secrecy.learn("another-secret")
    assert secrecy.hushed(f"{KEY} and another-secret") == f"{STARS} and {STARS}"
    assert secrecy.hushed_within([KEY]) == [STARS]
    secrecy.forget()
    assert secrecy.hushed(KEY) == KEY


def test_what_is_too_short_to_be_a_secret_hides_nothing_else() -> None:
    secrecy.learn("1", "true", " none ")
    assert secrecy.hushed("1 order, true, none") == "1 order, true, none"


def pieces(text: str) -> set[str]:
    return {text[at : at + PIECE_MIN] for at in range(len(text) - PIECE_MIN + 1)}


def every_piece() -> set[str]:
    """All that is telling of the key: what each of its spellings is made of."""
    coded = set[str]()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(before) + KEY.encode() + b"\0\0").decode()
            coded |= {whole, quote(whole)}
    found = set[str]()
    for form in (KEY, quote(KEY, safe=""), quote(KEY, safe="").lower(), *coded):
        found |= pieces(form.rstrip("A")[4:-4] if form in coded else form)
    return found
