"""Faults of a simulated provider as switches that are set by name. PURE.

Each has two sentences: what a real network does, and what people should see when the product copes
with it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    F = TypeVar("F", bound=DataclassInstance)

SECONDS_MAX = 7_200


@dataclass(frozen=True, slots=True)
class Switch:
    """One fault as people see it. ``seconds`` tells a duration from an on/off switch."""

    name: str
    title: str
    real: str
    seen: str
    seconds: bool = False


class BadSwitches(Exception):  # noqa: N818 - a refusal, see style
    """Some switches were set to what they cannot be; ``faults`` says for each what it wants."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {wants}" for name, wants in faults.items()))
        self.faults = dict(faults)


def switched(faults: F, wanted: Mapping[str, object]) -> F:
    """``faults`` with all of the wanted changes. Raises `BadSwitches` naming every wrong one."""
    known = {f.name: f.default for f in fields(faults)}
    wrong: dict[str, str] = {}
    for name, value in wanted.items():
        default = known.get(name)
        if default is None:
            wrong[name] = "there is no such switch"
        elif isinstance(default, bool):
            if not isinstance(value, bool):
                wrong[name] = "want true or false"
        elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= SECONDS_MAX:
            wrong[name] = f"want whole seconds, 0 to {SECONDS_MAX:,}"
    if wrong:
        raise BadSwitches(wrong)
    checked: dict[str, Any] = dict(wanted)
    return replace(faults, **checked)
