"""The query words of print: a stack machine over one row at a time. PURE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.routeros.texts import duration_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPERATIONS = re.compile(r"\d+\.?|[!&|.]")
ALIKE = {"yes": "true", "no": "false"}


def passes(row: Mapping[str, str], queries: Sequence[str]) -> bool:
    """Whether no false is left on the stack when all ``queries`` were worked off in order.

    Raises ValueError for a word that is no query.
    """
    stack: list[bool] = []
    for query in queries:
        if query.startswith("?#"):
            stack = operated(stack, query[2:])
        else:
            stack.append(holds(row, query[1:]))
    return all(stack)


def holds(row: Mapping[str, str], condition: str) -> bool:
    """Whether one condition is true of a row: present, absent, equal, less or greater."""
    sign = condition[:1]
    if sign == "-":
        return condition[1:] not in row
    name, equals, value = condition.lstrip("=<>").partition("=")
    if not equals:
        return name in row
    if name not in row:
        return False
    have = row[name]
    if sign == "<":
        return rank(have) < rank(value)
    if sign == ">":
        return rank(have) > rank(value)
    return ALIKE.get(have, have) == ALIKE.get(value, value)


def rank(text: str) -> tuple[int, int, str]:
    """What < and > compare by: figures and durations by size, all else as text."""
    size = duration_us(text)
    return (1, size, "") if size is not None else (2, 0, text) if text else (0, 0, "")


def operated(stack: list[bool], operations: str) -> list[bool]:
    """The stack after ``operations``; below its bottom lie trues without end."""
    if "".join(OPERATIONS.findall(operations)) != operations:
        raise ValueError(operations)
    steps = OPERATIONS.findall(operations)
    for number, step in enumerate(steps):
        if step == "!":
            stack = [*stack[:-1], not _at(stack, 0)]
        elif step in "&|":
            both = (_at(stack, 0), _at(stack, 1))
            stack = [*stack[:-2], all(both) if step == "&" else any(both)]
        elif step == ".":
            stack = [*stack, _at(stack, 0)]
        else:
            found = _at(stack, int(step.rstrip(".")))
            last = number == len(steps) - 1 and not step.endswith(".")
            stack = [found] if last else [*stack, found]
    return stack


def _at(stack: list[bool], depth: int) -> bool:
    return stack[-1 - depth] if depth < len(stack) else True
