"""What carriers tell later of a message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.notify.reports import Delivery, Report, fields_in, read_report

FORM = b"id=ATXid_1&status=%s&phoneNumber=%%2B254712345678&networkCode=63902&retryCount=0"


def read(body: bytes) -> Report | None:
    return read_report(fields_in(body))


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        (b"Sent", Delivery.UNDER_WAY),
        (b"Submitted", Delivery.UNDER_WAY),
        (b"Buffered", Delivery.UNDER_WAY),
        (b"Success", Delivery.DELIVERED),
        (b"Rejected", Delivery.FAILED),
        (b"Failed", Delivery.FAILED),
        (b"AbsentSubscriber", Delivery.FAILED),
        (b"Expired", Delivery.FAILED),
    ],
)
def test_a_form_of_africas_talking_is_read(status: bytes, delivery: Delivery) -> None:
    assert read(FORM % status) == Report("ATXid_1", delivery)


@pytest.mark.parametrize(
    ("told", "report"),
    [
        (
            {"messageid": 8290842, "description": "DeliveredToTerminal", "timeTaken": "00:00:04"},
            Report("8290842", Delivery.DELIVERED),
        ),
        ([{"message_id": "a-1", "dlr-status": "UNDELIV"}], Report("a-1", Delivery.FAILED)),
        ({"MsgId": "a-1", "delivery_status": "queued"}, Report("a-1", Delivery.UNDER_WAY)),
        (
            {"id": "", "clientSmsId": "ours", "status": "DELIVRD"},
            Report("ours", Delivery.DELIVERED),
        ),
        ({"id": "a b", "status": "Success"}, None),
        ({"id": "x" * 65, "status": "Success"}, None),
        ({"id": True, "status": "Success"}, None),
        ({"id": "a"}, None),
        ({"status": "Success"}, None),
        ([], None),
        ("id", None),
    ],
)
def test_reports_of_others_are_read_by_meaning(told: object, report: Report | None) -> None:
    assert read(json.dumps(told).encode()) == report


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"{", b"[" * 9_000, b"id=1&status=Success" + b"&x=" * 60, b"x" * 20_000]
)
def test_what_cannot_be_read_says_nothing(body: bytes) -> None:
    assert read(body) is None


@given(st.binary(max_size=200))
def test_no_report_is_an_accident(body: bytes) -> None:
    read(body)
