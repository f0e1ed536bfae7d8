"""One line of a benchmark's output, and the arithmetic that all rows share."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure beside its peer and its limit; None where there is no such thing.

    ``figure`` makes the one number that is quoted out of all that were measured.
    """

    name: str
    unit: str
    ours: list[float]
    peer: list[float] | None
    peer_is: str
    limit: list[float] | None
    limit_is: str
    lower_is_better: bool
    correct: bool
    more: dict[str, Any] = field(default_factory=dict)
    figure: Callable[[list[float]], float] = statistics.median

    def line(self) -> str:
        """The row as one line of JSON. Ratios above 1 always mean better than."""
        ours = self.figure(self.ours)
        middle = [self.figure(x) if x else None for x in (self.peer, self.limit)]
        spread = (max(self.ours) - min(self.ours)) / ours if ours else 0.0
        return json.dumps(
            {
                "name": self.name,
                "ours": _short(ours),
                "unit": self.unit,
                "peer": _short(middle[0]),
                "peer_is": self.peer_is,
                "limit": _short(middle[1]),
                "limit_is": self.limit_is,
                "vs_peer": self._times(ours, middle[0]),
                "vs_limit": self._times(ours, middle[1]),
                "lower_is_better": self.lower_is_better,
                "runs": len(self.ours),
                "spread": round(spread, 3),
                "correct": self.correct,
                **self.more,
            },
            ensure_ascii=False,
        )

    def _times(self, ours: float, other: float | None) -> float | None:
        if other is None or not ours or not other:
            return None
        return _short(other / ours if self.lower_is_better else ours / other)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]
