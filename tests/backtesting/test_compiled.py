"""What numba makes of the core decides what the core decides: every row, digest and number of it.

More of them: `python -m tests.backtesting.test_compiled --examples 5000 --seed 1`.
"""

import argparse
from typing import Final

import pytest
from hypothesis import given, settings

from tests.backtesting.madeup import Case, cases

pytestmark = pytest.mark.slow

FEW: Final = settings(max_examples=60, deadline=None, derandomize=True)


@FEW
@given(cases())
def test_compiled_and_interpreted_leave_the_same(case: Case) -> None:
    assert case.outcome(compiled=True) == case.outcome(compiled=False)
