"""What the simulated network may be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.sandbox.daraja.settings import SimSettings, sim_faults


def test_the_defaults_are_good() -> None:
    assert sim_faults(SimSettings()) == ()


def test_all_faults_are_told_at_once() -> None:
    settings = SimSettings(
        shortcode="12",
        till="x",
        passkey="",
        business="",
        prompt_life_s=0,
        working_ms=-1,
        opening_shillings=500_001,
        staff_url="x",
    )

    assert [fault.partition(":")[0] for fault in sim_faults(settings)] == [
        "shortcode",
        "till",
        "passkey",
        "business",
        "prompt_life_s",
        "working_ms",
        "opening_shillings",
        "staff_url",
    ]


@pytest.mark.parametrize("secret", ["hush-passkey", "hush-secret"])
def test_the_repr_shows_no_secret(secret: str) -> None:
    settings = replace(SimSettings(), passkey="hush-passkey", consumer_secret="hush-secret")

    assert secret not in repr(settings)
