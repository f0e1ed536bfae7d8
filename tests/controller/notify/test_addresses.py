"""Where webhooks may go: a table of addresses that somebody could type, or answer."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from controller.notify.addresses import AddressRefused, checked, is_public, place_of

PUBLIC = [
    "1.1.1.1",
    "196.201.214.200",
    "2606:4700:4700::1111",
    "64:ff9b::101:101",
    "::ffff:1.1.1.1",
]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.170",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
]
HTTPS = place_of("https://hooks.example.co.ke/in")


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_may_be_called(address: str) -> None:
    (found,) = checked(HTTPS, [address])

    assert is_public(found)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_nothing_else_may(address: str) -> None:
    with pytest.raises(AddressRefused, match="address_not_public"):
        checked(HTTPS, [address])


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(AddressRefused, match="address_not_public"):
        checked(HTTPS, ["1.1.1.1", "10.0.0.1"])


def test_networks_that_the_operator_allows_may_be_called_also_in_clear() -> None:
    allowed = [ip_network("10.1.0.0/16")]
    place = place_of("http://chat.lan/in")

    assert [str(one) for one in checked(place, ["10.1.2.3"], allowed=allowed)] == ["10.1.2.3"]
    with pytest.raises(AddressRefused, match="address_not_public"):
        checked(place, ["10.2.0.1"], allowed=allowed)


def test_the_internet_is_called_by_https_only() -> None:
    with pytest.raises(AddressRefused, match="not_https"):
        checked(place_of("http://hooks.example.co.ke/in"), ["1.1.1.1"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.co.ke",
        "ftp://hooks.example.co.ke/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "https://",
        "https://user:secret@hooks.example.co.ke/",
        "https://hooks.example.co.ke/#part",
        "https://hooks.example.co.ke:0/",
        "https://hooks.example.co.ke:99999/",
        "https://hooks.example.co.ke\\@127.0.0.1/",
        "https://hooks.example.co.ke/\r\nHost: x",
        "https://hooks.example.co.ke/ x",
        "https://hooks.exämple.co.ke/",
        "https://h/" + "x" * 500,
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused, match="url_unreadable"):
        place_of(url)


def test_an_address_is_taken_apart() -> None:
    place = place_of("https://Hooks.example.co.ke:8443/in?a=1")

    assert (place.host, place.port, place.path) == ("hooks.example.co.ke", 8443, "/in?a=1")
