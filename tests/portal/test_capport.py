"""RFC 8908, as phones ask for it."""

from __future__ import annotations

import json

import pytest

from portal.captive import capport
from tests.support.portal import Site, an_access

KIND = {"accept": "application/captive+json"}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/captive+json", True),
        ("application/captive+json, */*;q=0.1", True),
        ("text/html, Application/Captive+JSON;q=0.5", True),
        ("application/captive+json;q=0", False),
        ("application/captive+json;q=0.000", False),
        ("application/captive+json;q=0.001", True),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_media_type_is_found_anywhere_in_the_list(accept: str, wanted: bool) -> None:  # noqa: FBT001 - a table's cell
    assert capport.wanted(accept) is wanted


async def test_a_captive_device_is_told_so() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/capport", headers=KIND)

    assert answer.json() == {"captive": True, "can-extend-session": True}


async def test_the_answer_is_private_and_typed() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/capport", headers=KIND)

    assert answer.headers["content-type"] == "application/captive+json"
    assert answer.headers["cache-control"] == "private, no-store"


async def test_a_device_online_is_told_what_is_left() -> None:
    site = Site(portal_url="https://wifi.example.net/")
    site.gate.went_online("10.77.0.7", an_access(seconds_left=1740, bytes_left=734_003_200))
    async with site.phone() as phone:
        answer = await phone.get("/capport", headers=KIND)

    assert answer.json() == {
        "captive": False,
        "can-extend-session": True,
        "user-portal-url": "https://wifi.example.net/",
        "seconds-remaining": 1740,
        "bytes-remaining": 734_003_200,
    }


def test_what_has_no_limit_is_left_out() -> None:
    access = an_access(seconds_left=None, bytes_left=None)

    assert json.loads(capport.state(access, portal_url=None)).keys() == {
        "captive",
        "can-extend-session",
    }


async def test_a_browser_is_sent_to_the_page() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/capport", headers={"accept": "text/html"})

    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    assert answer.headers["vary"] == "Accept"
