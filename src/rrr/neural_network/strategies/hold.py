"""Always long: what the market gave to whoever only held it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from ..panel import I64, Panel
from .strategy import FULL, Strategy


@dataclass(frozen=True)
class Hold(Strategy):
    """As much as one instrument may hold, without a stop that matters and without a target."""

    usual: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "policy.sizing": "equity",
            "policy.stop_bps": "9900",
            "policy.target_bps": "100000",
        }
    )

    @property
    def window(self) -> int:
        return 1

    def convictions(self, panel: Panel) -> I64:
        return np.full(panel.there.shape, FULL)
