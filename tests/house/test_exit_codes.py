"""The one table of exit codes is true: the page, the tree in errors.py and the classes agree."""

import re
from collections.abc import Iterator

from rrr.core import errors
from rrr.core.errors import RRRError
from tests.house.source import ROOT

ROW = re.compile(r"^\| (\d+) \| `(\w+)` \| \S", re.MULTILINE)
BRANCH = re.compile(r"^ +(\w+) +(\d+)   ", re.MULTILINE)


def test_the_page_has_every_error_with_its_code_and_no_other() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert [(name, int(code)) for code, name in ROW.findall(page)] == named()


def test_the_tree_at_the_top_of_the_file_is_the_tree_of_its_classes() -> None:
    tree = errors.__doc__ or ""
    assert [(name, int(code)) for name, code in BRANCH.findall(tree)] == named()


def test_no_two_errors_share_a_code_and_none_looks_like_success_or_a_signal() -> None:
    codes = [code for _, code in named()]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 128 for code in codes)


def named() -> list[tuple[str, int]]:
    return sorted(((each.__name__, each.exit_code) for each in tree()), key=lambda pair: pair[1])


def tree(root: type[RRRError] = RRRError) -> Iterator[type[RRRError]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)
