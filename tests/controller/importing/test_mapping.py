"""A router's rows as what would be made of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from controller.importing.mapping import PLANS_MAX, Terms, proposed
from controller.importing.router_file import (
    ACTIVE,
    COOKIES,
    HOTSPOT_PROFILES,
    HOTSPOT_USERS,
    LEASES,
    PPP_ACTIVE,
    PPP_PROFILES,
    QUEUES,
    SECRETS,
    read,
)
from tests.support.router_dump import file_of

if TYPE_CHECKING:
    from controller.importing.mapping import Proposal

MAC = "02:00:00:00:00:0A"
PROFILES = {
    HOTSPOT_PROFILES: [{"name": "home", "rate-limit": "2M/8M", "shared-users": "3"}],
    PPP_PROFILES: [{"name": "fibre", "rate-limit": "5M/20M 10M/40M 5M/20M 8/8"}],
}
PRICES = {"home": 1_000_00, "fibre": 3_000_00, "8M/2M": 900_00}


def of(**menus: list[dict[str, str]]) -> Proposal:
    """What rows come to beside the two profiles, by menus whose slashes are written ``__``."""
    rows: dict[str, Any] = {**PROFILES, **{n.replace("__", "/"): r for n, r in menus.items()}}
    return proposed(read(json.dumps({"form": "lango.router/1", "rows": rows})), Terms(PRICES))


def rows(menu: str, *told: dict[str, str], **more: list[dict[str, str]]) -> Proposal:
    return of(**{menu: list(told)}, **more)


def test_a_secret_is_a_customer_by_the_phone_in_its_comment_or_name() -> None:
    told = rows(
        SECRETS,
        {"name": "jane", "profile": "fibre", "comment": "Jane W. 0712 345 678", "caller-id": MAC},
        {"name": "0722000001", "profile": "fibre"},
    )
    jane, other = told.customers

    assert (jane.msisdn, jane.name, jane.login) == ("254712345678", "Jane W.", "jane")
    assert jane.devices == (MAC.lower(),)
    assert (other.msisdn, other.name, other.login) == ("254722000001", "0722000001", "0722000001")
    (plan,) = told.plans
    assert (plan.plan.limits.down_bps, plan.plan.limits.up_bps) == (20_000_000, 5_000_000)
    assert plan.plan.limits.burst is not None
    assert plan.plan.limits.burst.down_bps == 40_000_000


def test_a_device_is_what_the_router_saw_of_them() -> None:
    dialled = rows(
        SECRETS,
        {"name": "jane", "profile": "fibre", "comment": "0712345678"},
        **{PPP_ACTIVE: [{"name": "jane", "caller-id": MAC}]},
    )
    queue = {"name": "0712345678", "target": "10.5.0.9/32", "max-limit": "2000000/8000000"}
    leased = rows(QUEUES, queue, **{LEASES: [{"address": "10.5.0.9", "mac-address": MAC}]})
    home = {"name": "0712345678", "profile": "home"}
    cookie = rows(HOTSPOT_USERS, home, **{COOKIES: [{"user": "0712345678", "mac-address": MAC}]})

    for told in (dialled, leased, cookie):
        assert [one.devices for one in told.customers] == [(MAC.lower(),)], told.left


def test_a_code_is_a_voucher_only_when_nobody_used_it() -> None:
    code = {"name": "K1", "profile": "home", "limit-uptime": "1h", "uptime": "0s"}
    told = rows(
        HOTSPOT_USERS,
        code,
        {**code, "name": "K2", "limit-bytes-total": "1073741824"},
        {**code, "name": "K3", "bytes-in": "12"},
        {**code, "name": "K4"},
        **{ACTIVE: [{"user": "K4", "uptime": "5m"}]},
    )

    assert [one.name for one in told.codes] == ["K1", "K2"]
    assert [one.plan.name for one in told.plans] == ["home 1h", "home 1h 1GiB"]
    assert [(one.name, one.reason) for one in told.left] == [
        ("K3", "partly_used"),
        ("K4", "partly_used"),
    ]


def test_a_queue_of_a_secret_is_no_second_customer() -> None:
    told = rows(
        SECRETS,
        {"name": "jane", "profile": "fibre", "comment": "0712345678", "remote-address": "10.9.0.9"},
        **{QUEUES: [{"name": "0712345678", "target": "10.9.0.9/32", "max-limit": "2M/8M"}]},
    )

    assert len(told.customers) == 1
    assert [one.reason for one in told.left] == ["of_secret"]


def test_a_name_that_stands_twice_is_taken_once() -> None:
    jane = {"name": "jane", "profile": "fibre", "comment": "0712345678"}

    told = rows(SECRETS, jane, jane)

    assert len(told.customers) == 1
    assert [one.reason for one in told.left] == ["twice"]


def test_plans_of_one_name_and_other_limits_are_others() -> None:
    code = {"name": "K1", "profile": "home", "limit-uptime": "1h"}
    told = rows(
        HOTSPOT_USERS, code, {**code, "name": "K2"}, {**code, "name": "K3", "limit-uptime": "2h"}
    )

    assert [one.plan.id for one in told.plans] == ["home-1h", "home-2h"]
    assert [one.plan_key for one in told.codes] == [
        told.plans[0].key,
        told.plans[0].key,
        told.plans[1].key,
    ]


@pytest.mark.parametrize("odd", ["\x1b[2J", "\n", "\t", "\x9b", "\u202e", "\ud800", "\x7f"])
def test_what_would_steer_a_terminal_or_is_no_letter_is_a_blank(odd: str) -> None:
    name = f"{odd}home{odd}1"
    told = of(
        **{
            HOTSPOT_PROFILES: [{"name": name, "rate-limit": "1M/1M"}],
            HOTSPOT_USERS: [
                {"name": f"k{odd}7", "profile": name, "limit-uptime": "1h"},
                {"name": f"{odd}no", "profile": f"none{odd}"},
            ],
        }
    )
    texts = [*told.unpriced, *(word for one in told.left for word in (one.name, one.text))]

    assert len(told.left) == 2
    assert all(text.isprintable() for text in texts)


def test_more_plans_than_an_operator_sells_are_not_made() -> None:
    """Codes whose limits all differ would each be a plan at every portal."""
    told = rows(
        HOTSPOT_USERS,
        *(
            {"name": f"k{number}", "profile": "home", "limit-uptime": f"{60 + number}"}
            for number in range(PLANS_MAX + 2)
        ),
        {"name": "again", "profile": "home", "limit-uptime": "60"},
    )

    assert len(told.plans) == PLANS_MAX
    assert len(told.codes) == PLANS_MAX + 1
    assert {one.text for one in told.left} == {f"there would be more than {PLANS_MAX} plans"}


def test_two_rows_are_never_known_by_one_key() -> None:
    """A name may hold what stands between the parts of a key."""
    told = rows(
        HOTSPOT_USERS,
        {"name": "x", "server": "y\nz", "profile": "home", "comment": "0712345678"},
        {"name": "x\ny", "server": "z", "profile": "home", "comment": "0712345679"},
        {"name": "a\nb", "profile": "home", "limit-uptime": "1h"},
        {"name": "a\tb", "profile": "home", "limit-uptime": "1h"},
    )
    keys = [one.key for one in told.customers] + [one.key for one in told.codes]

    assert len(set(keys)) == len(keys)
    assert [one.reason for one in told.left].count("twice") == 1


@pytest.mark.parametrize("major", [6, 7])
def test_two_thousand_rows_with_a_twentieth_broken_are_all_accounted_for(major: int) -> None:
    text = file_of(major, secrets=1_000, users=800, queues=200)
    prices = {"10M": 2_500_00, "1H-2M": 20_00, "4M/1M": 1_500_00}

    told = proposed(read(text), Terms(prices))

    reasons = Counter(one.reason for one in told.left)
    own = reasons.pop("made_by_router")
    assert (len(told.customers), len(told.codes), sum(reasons.values())) == (1_140, 760, 100)
    assert own == 2
    assert set(reasons) == {
        "no_plan", "no_speed", "no_device", "no_phone", "two_phones", "disabled", "no_name",
        "no_limit", "one_way", "partly_used", "used_up", "many",
    }  # fmt: skip
