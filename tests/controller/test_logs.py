"""What the log never says."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from controller.logs import mask, set_up_logs
from tests.support import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where a set-up log goes; the logging of the test run is put back afterwards."""
    with logs.set_up() as out:
        yield out


def line_of(out: io.StringIO) -> dict[str, Any]:
    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def shown(value: Any, *, name: str = "value") -> Any:
    return mask(None, "info", {name: value})[name]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("254712345678", "2547••••678"),
        (254712345678, "2547••••678"),
        ("+254112345678", "2541••••678"),
        ("0712345678", "2547••••678"),
        ("0712 345 678", "2547••••678"),
        ("+254-112-345-678", "2541••••678"),
        ("/find?phone=%2B254712345678&x=1", "/find?phone=%2B2547••••678&x=1"),
        ({"254712345678": 1}, {"2547••••678": 1}),
        ("to 254712345678 and 254798765432.", "to 2547••••678 and 2547••••432."),
        (b"254712345678 ", "b'2547••••678 '"),
        (ValueError("for 254712345678"), "for 2547••••678"),
        ({"a": [("254712345678",)]}, {"a": [["2547••••678"]]}),
    ],
)
def test_a_phone_number_is_masked(said: Any, heard: Any) -> None:
    assert shown(said) == heard


@given(
    number=st.integers(0, 199_999_999),
    prefix=st.sampled_from(["254", "+254", "0"]),
    around=st.sampled_from(["{}", "pay {} now", "({})", '{{"msisdn":"{}"}}', "tel:{}"]),
    road=st.sampled_from(["event", "field", "name", "list", "deep", "error"]),
)
def test_no_number_leaves_by_any_road(number: int, prefix: str, around: str, road: str) -> None:
    subscriber = f"{'1' if number % 2 else '7'}{number % 100_000_000:08}"
    said = around.format(prefix + subscriber)
    events: dict[str, dict[str, Any]] = {
        "event": {"event": said},
        "field": {"event": "paid", "text": said},
        "name": {"event": "paid", said: 1},
        "list": {"event": "paid", "about": [said, (said,)]},
        "deep": {"event": "paid", "about": {"a": {"b": {said: {"c": said}}}}},
        "error": {"event": "paid", "error": ValueError(said)},
    }

    assert subscriber not in repr(mask(None, "info", events[road]))


@pytest.mark.parametrize(
    "said", ["0712345678abcdef0712345678abcdef", 1700000000, "12547123456789", True, None, 1.5]
)
def test_what_is_no_phone_number_stays(said: Any) -> None:
    assert shown(said) == said


@pytest.mark.parametrize(
    "name", ["passkey", "consumer_secret", "Authorization", "callback_token", "pin", "staff_key"]
)
def test_a_secret_is_hidden_by_its_name(name: str) -> None:
    assert shown("hush", name=name) == "••••"


def test_a_secret_is_hidden_however_deep() -> None:
    assert shown({"a": {"passkey": "hush"}}) == {"a": {"passkey": "••••"}}


def test_what_is_too_deep_is_not_shown() -> None:
    deep: Any = "hush"
    for _ in range(9):
        deep = [deep]

    assert "hush" not in str(shown(deep))


def test_nobody_watching_gets_one_line_of_json(out: io.StringIO) -> None:
    structlog.get_logger("edge").info("paid", site="estate-1")

    line = line_of(out)
    assert (line["event"], line["level"], line["logger"], line["site"]) == (
        "paid",
        "info",
        "edge",
        "estate-1",
    )


def test_a_traceback_is_masked_too(out: io.StringIO) -> None:
    structlog.get_logger("edge").error("oops", exc_info=ValueError("254712345678"))

    assert "254712345678" not in out.getvalue()


def test_libraries_that_log_are_masked_too(out: io.StringIO) -> None:
    logging.getLogger("some.library").warning("to %s", "254712345678")

    assert line_of(out)["event"] == "to 2547••••678"


def test_a_person_watching_gets_no_json(out: io.StringIO) -> None:
    terminal = Terminal()
    set_up_logs(terminal)
    structlog.get_logger("edge").info("paid", phone="254712345678")

    assert "{" not in terminal.getvalue()
    assert "2547••••678" in terminal.getvalue()
