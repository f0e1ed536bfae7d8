"""Whatever a captive device asks of port 80 leads to the portal, and nothing else does."""

from __future__ import annotations

import pytest

from portal.captive.door import HEADERS_MAX
from tests.support.portal import GATEWAY, HOST, PHONE, Site, an_access

PROBES = """
http://captive.apple.com/hotspot-detect.html
http://www.apple.com/library/test/success.html
http://connectivitycheck.gstatic.com/generate_204
http://clients3.google.com/generate_204
http://www.google.com/gen_204
http://connectivitycheck.android.com/generate_204
http://connect.rom.miui.com/generate_204
http://connectivitycheck.platform.hicloud.com/generate_204
http://www.msftconnecttest.com/connecttest.txt
http://www.msftconnecttest.com/redirect
http://www.msftncsi.com/ncsi.txt
http://detectportal.firefox.com/success.txt?ipv4
http://detectportal.firefox.com/canonical.html
http://connectivity-check.ubuntu.com/
http://nmcheck.gnome.org/check_network_status.txt
http://network-test.debian.org/nm
http://fedoraproject.org/static/hotspot.txt
http://networkcheck.kde.org/
http://cp.cloudflare.com/
http://spectrum.s3.amazonaws.com/kindle-wifi/wifistub.html
""".split()  # noqa: SIM905 - a list to read and to extend


@pytest.mark.parametrize("probe", PROBES)
async def test_a_probe_is_sent_to_the_portal(probe: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get(probe)

    assert (answer.status_code, answer.headers["location"]) == (302, f"http://{HOST}/")


async def test_a_redirect_is_tiny_and_nothing_remembers_it() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("http://captive.apple.com/hotspot-detect.html")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["connection"] == "close"
    assert answer.content == b""


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "DELETE"])
async def test_every_method_to_another_host_is_redirected(method: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.request(method, "http://example.com/order", content=b"plan=hour")

    assert answer.status_code == 302


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:80", GATEWAY, f"{GATEWAY}:8000"])
async def test_the_portal_answers_to_its_name_and_its_address(host: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/", headers={"host": host})

    assert answer.status_code == 200


async def test_a_name_that_only_starts_like_ours_is_another_host() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/", headers={"host": f"{HOST}.example.com"})

    assert answer.status_code == 302


async def test_a_device_with_a_good_grant_goes_on_to_where_it_wanted() -> None:
    site = Site()
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get("http://captive.apple.com/hotspot-detect.html?a=b%20c")

    assert answer.headers["location"] == "http://captive.apple.com/hotspot-detect.html?a=b%20c"


async def test_a_device_that_is_online_already_is_never_sent_in_a_circle() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get("http://example.com/news")

    assert answer.headers["location"] == f"http://{HOST}/status"


async def test_a_form_for_another_site_is_not_sent_on() -> None:
    site = Site()
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.post("http://example.com/pay", content=b"x=1")

    assert answer.headers["location"] == f"http://{HOST}/status"


async def test_an_endless_address_is_not_returned_to() -> None:
    site = Site()
    site.gate.granted(PHONE, an_access())
    async with site.phone() as phone:
        answer = await phone.get("http://example.com/" + "a" * 2000)

    assert answer.headers["location"] == f"http://{HOST}/status"


async def test_an_address_over_the_limit_is_refused() -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/?" + "a" * 30_000)

    assert (answer.status_code, answer.text) == (414, "URL: want at most 8192 bytes\n")


@pytest.mark.parametrize(
    "headers",
    [{"x-long": "a" * 20_000}, {f"x-{i}": "a" for i in range(HEADERS_MAX)}],
    ids=["long", "many"],
)
async def test_headers_over_the_limit_are_refused(headers: dict[str, str]) -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/", headers=headers)

    assert answer.status_code == 431
    assert answer.text.startswith("headers: ")


@pytest.mark.parametrize("host", ["", ";$(id)", "a b", "wifi.lango/../x", "a@wifi.lango", "[::1"])
async def test_a_host_that_cannot_be_is_refused(host: str) -> None:
    async with Site().phone() as phone:
        answer = await phone.get("/", headers={"host": host})

    assert (answer.status_code, answer.text) == (400, "Host: want one name or address\n")


async def test_a_mapped_ipv4_address_is_the_same_device() -> None:
    site = Site()
    site.gate.went_online(PHONE, an_access())
    async with site.phone(f"::ffff:{PHONE}") as phone:
        answer = await phone.get("/status")

    assert answer.status_code == 200


async def test_a_device_on_ipv6_is_served() -> None:
    async with Site().phone("fd77::7") as phone:
        answer = await phone.get("/")

    assert answer.status_code == 200
