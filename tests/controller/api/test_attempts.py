"""Wrong keys are counted by address."""

from __future__ import annotations

from datetime import timedelta

from controller.api.attempts import ADDRESSES_MAX, FAILURES_MAX, WINDOW, Attempts, failed, wait_s
from tests.support.office import NOON


def after(failures: int, address: str = "a") -> Attempts:
    attempts = Attempts()
    for _ in range(failures):
        attempts = failed(attempts, address, NOON)
    return attempts


def test_a_few_mistakes_cost_nothing() -> None:
    assert wait_s(after(FAILURES_MAX - 1), "a", NOON) == 0


def test_many_cost_the_rest_of_the_window() -> None:
    assert wait_s(after(FAILURES_MAX), "a", NOON + timedelta(seconds=20)) == 40


def test_the_window_passes() -> None:
    assert wait_s(after(FAILURES_MAX), "a", NOON + WINDOW) == 0


def test_others_are_not_held_up() -> None:
    assert wait_s(after(FAILURES_MAX), "b", NOON) == 0


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts()
    for n in range(ADDRESSES_MAX + 5):
        attempts = failed(attempts, str(n), NOON + timedelta(milliseconds=n))

    assert len(attempts.failures) == ADDRESSES_MAX
    assert "0" not in attempts.failures
