"""What a carrier says that a message cost."""

from __future__ import annotations

import pytest

from controller.notify.cost import cost_e4, shown_cost


@pytest.mark.parametrize(
    ("told", "cost"),
    [
        ("KES 0.8000", 8_000),
        ("KES 0.8", 8_000),
        ("KES 12", 120_000),
        ("KES 0.00019", 1),
        ("USD 0.0200", None),
        ("0", None),
        ("KES", None),
        ("KES -1", None),
        ("KES 0.80 ", None),
        (0.8, None),
        (None, None),
    ],
)
def test_only_shillings_are_read(told: object, cost: int | None) -> None:
    assert cost_e4(told) == cost


@pytest.mark.parametrize(
    ("cost", "shown"),
    [(8_000, "KES 0.80"), (0, "KES 0.00"), (12_345_678, "KES 1,234.5678"), (50, "KES 0.0050")],
)
def test_a_cost_is_shown_to_the_cent_unless_more_matters(cost: int, shown: str) -> None:
    assert shown_cost(cost) == shown
