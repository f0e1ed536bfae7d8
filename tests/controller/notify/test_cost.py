"""What a carrier says that a message cost."""

from __future__ import annotations

import pytest

from controller.notify.cost import cost_e4, written_cost


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
    ("cost", "written"),
    [(8_000, "0.8000"), (0, "0.0000"), (12_345_678, "1234.5678"), (50, "0.0050")],
)
def test_a_cost_is_written_to_the_last_decimal(cost: int, written: str) -> None:
    assert written_cost(cost) == written
    assert cost_e4(f"KES {written}") == cost
