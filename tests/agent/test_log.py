"""What the agent tells its log is one line an event."""

from __future__ import annotations

import pytest

from agent.log import line


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "event=link_up"),
        ({"part": "plane", "failures": 3}, "event=link_up part=plane failures=3"),
        ({"error": "no such device"}, "event=link_up error='no such device'"),
        ({"error": "a\nforged=line"}, "event=link_up error='a\\nforged=line'"),
        ({"error": ""}, "event=link_up error=''"),
    ],
)
def test_a_line_holds_the_event_and_its_facts(facts: dict[str, object], text: str) -> None:
    assert line("link_up", facts) == text
