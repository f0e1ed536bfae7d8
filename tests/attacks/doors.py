"""Every route and form that changes something, each with what makes it succeed.

Names in braces stand for what the business has (`tests.attacks.business.ids_of`), or for what an
earlier deed of the same row made.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.routing import iter_route_contexts

from controller.api.app import described_app
from controller.api.rights import PREFIX, RIGHTS_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = re.compile(r"\{(\w+)\}")
"""Names in a path or a field."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
JsonBody = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """One request. ``keep`` names what it makes, by the ``id`` of its answer.

    ``files`` are sent by a form in place of its ``content``.
    """

    method: str
    path: str
    content: Mapping[str, Any] | None = None
    first: tuple[Deed, ...] = ()
    keep: str = ""
    files: Mapping[str, bytes] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The route."""
        return self.method, self.path


def kes(amount: str) -> JsonBody:
    """An amount as it is written."""
    return {"amount": amount, "currency": "KES"}


def _api(path: str, content: JsonBody | None = None, *first: Deed, keep: str = "") -> Deed:
    return Deed("POST", f"{PREFIX}{path}", content, first, keep)


SOON, LATER, LONG_AGO = "2026-11-24T09:00:00Z", "2026-11-25T09:00:00Z", "2026-11-01T09:00:00Z"
SMALL_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGPgqo0CAAF2AOKCUW2gAAAAAElFTkSuQmCC"
)
STATEMENT = base64.b64encode(b"Date;Narrative;In;Out\n22/11/2026;FT26330X1Q;1.500,50;\n").decode()
PROFILE = {
    "columns": {"when": ["Date"], "text": ["Narrative"], "paid_in": ["In"], "paid_out": ["Out"]},
    "dates": ["%d/%m/%Y"],
    "delimiter": ";",
    "comma": True,
}
PLAN = {
    "id": "hours-3",
    "name": "3 hours",
    "price": kes("30.00"),
    "down_bps": 3_000_000,
    "up_bps": 1_000_000,
    "validity_s": 10_800,
    "pool_id": "",
}
POOL = {"name": "A pool", "down_bps": 9_000_000, "up_bps": 9_000_000, "ports": ["br0"]}
WINDOW = {
    "text_en": "We mend the mast.",
    "text_sw": "Tunatengeneza mnara.",
    "site_id": "{site_id}",
    "from_at": SOON,
    "until_at": LATER,
}
ROUTER = json.dumps(
    {
        "form": "lango.router/1",
        "version": "7.18.2 (stable)",
        "rows": {
            "/ppp/profile": [{"name": "10M", "rate-limit": "3M/10M", "default": "false"}],
            "/ppp/secret": [
                {
                    "name": "jane",
                    "profile": "10M",
                    "service": "pppoe",
                    "comment": "Jane 0733000001",
                    "disabled": "false",
                }
            ],
        },
        "unread": {},
    }
)
"""What an agent read of an existing router."""

IMPORT = {
    "site_id": "{site_id}",
    "name": "router.json",
    "file": ROUTER,
    "prices": {"10M": 2_500},
    "begins_on": "2026-12-20",
}
TOLD = {"text_en": "No light in Thika.", "text_sw": "Hakuna umeme.", "site_id": "{site_id}"}
CREDIT = {
    "id": "{once}",
    "gives": "days",
    "days": 1,
    "from_at": LONG_AGO,
    "until_at": "2026-11-20T09:00:00Z",
    "more_than_s": 3_600,
    "site_id": "{site_id}",
}
NEW_POOL = _api("/sites/{site_id}/pools", {"id": "pool-1", **POOL})
NEW_ROUTE = _api(
    "/alert-routes",
    {"kind": "webhook", "name": "desk", "target": "https://example.com/hook"},
    keep="route_id",
)
NEW_PROMOTION = _api(
    "/promotions",
    {"name": "Ten off", "coupon": {"code": "KARIBU10", "discount": {"amount": kes("10.00")}}},
    keep="promotion_id",
)
NEW_PRICE = _api(
    "/plans/{plan_id}/prices",
    {"amount": kes("8.00"), "branch_id": "{branch}", "segment": "business"},
    keep="price_id",
)
NEW_VOUCHERS = _api("/vouchers", {"plan_id": "{plan_id}", "count": 2}, keep="batch")
NEW_GRANT = _api(
    "/grants",
    {
        "site_id": "{site_id}",
        "plan_id": "{plan_id}",
        "device_mac": "02:00:00:00:00:77",
        "phone": "{phone}",
    },
    keep="grant_id",
)
FOR_FOUR = _api("/grants", {**(NEW_GRANT.content or {}), "plan_id": "four"}, keep="grant_id")
BLOCKED = _api(
    "/devices/block",
    {"mac": "02:00:00:00:00:56", "site_id": "{site_id}", "reason": "floods"},
)
NEW_TOKEN_KEY = _api("/sites/{site_id}/token-keys")
NEW_TOKEN = _api(
    "/tokens",
    {"site_id": "{site_id}", "plan_id": "{plan_id}", "phone": "{phone}"},
    NEW_TOKEN_KEY,
    keep="token_id",
)
NEW_SUBSCRIPTION = _api(
    "/subscriptions",
    {
        "subscriber": "{phone}",
        "plan_id": "home-20",
        "site_id": "{site_id}",
        "mode": "advance",
        "devices": ["02:00:00:00:00:78"],
    },
    keep="subscription_id",
)
NEW_RECEIVED = _api(
    "/received",
    {"subscriber": "{phone}", "amount": kes("500.00"), "note": "at the counter"},
    keep="received_id",
)
NEW_PROFILE = Deed("PUT", f"{PREFIX}/statement-profiles/{{name}}", PROFILE)
NEW_STATEMENT = _api(
    "/statements",
    {"name": "x.csv", "file": STATEMENT, "profile": "kcb-desk", "rail": "bank", "place": "kcb-1"},
    NEW_PROFILE,
)

API: tuple[Deed, ...] = (
    _api(
        "/sites",
        {
            "id": "estate-9",
            "name": "Estate 9",
            "operator_name": "Kahawa",
            "help_phone": "0700 000 000",
            "language": "en",
        },
    ),
    Deed("PATCH", f"{PREFIX}/sites/{{site_id}}", {"place": "-1.2921, 36.8219"}),
    _api("/sites/{site_id}/branch", {"branch_id": "nakuru"}),
    _api("/sites/{site_id}/join-tokens"),
    _api("/sites/{site_id}/join-commands"),
    NEW_POOL,
    _api("/sites/{site_id}/pools/{pool_id}", {**POOL, "name": "Another"}, NEW_POOL),
    _api("/sites/{site_id}/pools/{pool_id}/remove", None, NEW_POOL),
    _api("/sites/{site_id}/probes", {"kind": "arp", "target": "10.77.0.10"}),
    NEW_TOKEN_KEY,
    _api("/sites/{site_id}/upstream", {"parent_id": "site-nakuru"}),
    _api("/garden", {"entry": "example.com", "site_id": "{site_id}"}),
    _api(
        "/garden/remove",
        {"entry": "example.com", "site_id": "{site_id}"},
        _api("/garden", {"entry": "example.com", "site_id": "{site_id}"}),
    ),
    NEW_GRANT,
    _api("/grants/{grant_id}/devices", {"device_mac": "02:00:00:00:00:79"}, FOR_FOUR),
    _api("/grants/{grant_id}/suspend"),
    _api("/grants/{grant_id}/resume", None, _api("/grants/{grant_id}/suspend")),
    _api("/grants/{grant_id}/revoke"),
    _api("/sessions/{session_id}/disconnect"),
    _api("/sessions/{session_id}/move", {"device_mac": "02:00:00:00:00:55"}),
    _api("/sessions/{session_id}/give", {"plan_id": "{plan_id}", "reason": "a long outage"}),
    BLOCKED,
    _api("/devices/unblock", {"mac": "02:00:00:00:00:56", "site_id": "{site_id}"}, BLOCKED),
    _api("/plans", PLAN),
    _api("/plans/{plan_id}/withdraw"),
    NEW_PRICE,
    _api("/plans/{plan_id}/prices/{price_id}/end", {"until_day": "2026-12-31"}, NEW_PRICE),
    NEW_PROMOTION,
    _api("/promotions/{promotion_id}/withdraw", None, NEW_PROMOTION),
    NEW_VOUCHERS,
    _api(
        "/vouchers/sales",
        {
            "id": "{once}",
            "batch": "{batch}",
            "count": 1,
            "seller": "Mama Njeri",
            "branch": "{branch}",
            "rail": "cash",
            "place": "{branch}",
        },
        NEW_VOUCHERS,
    ),
    NEW_TOKEN,
    _api("/tokens/{token_id}/resend", {"phone": "{phone}"}, NEW_TOKEN),
    _api(
        "/subscribers",
        {
            "phone": "0733000001",
            "name": "Achieng",
            "email": "a@example.com",
            "address": "House 4",
            "kra_pin": "A123456789Z",
            "branch_id": "{branch}",
            "language": "sw",
            "segment": "business",
            "referred_by": "{phone}",
        },
    ),
    _api(
        "/subscribers/{subscriber}",
        {
            "name": "Achieng",
            "email": "b@example.com",
            "address": "House 5",
            "kra_pin": "A123456789Z",
            "language": "sw",
        },
    ),
    _api("/subscribers/{subscriber}/adjust", {"amount": kes("50.00"), "reason": "goodwill"}),
    _api(
        "/subscribers/{subscriber}/mandates/card",
        {"amount": kes("100.00"), "consent": "signed the form", "most": kes("900.00")},
    ),
    _api("/subscribers/{subscriber}/promotions", {"code": "KARIBU10"}, NEW_PROMOTION),
    _api(
        "/subscribers/{subscriber}/transfer",
        {"target": "{other}", "amount": kes("5.00"), "note": "for a friend"},
        NEW_RECEIVED,
    ),
    NEW_SUBSCRIPTION,
    _api("/subscriptions/{subscription_id}", {"devices": ["02:00:00:00:00:80"]}),
    _api(
        "/subscriptions/{subscription_id}/change",
        {"plan_id": "home-40", "at_renewal": True},
        NEW_SUBSCRIPTION,
    ),
    _api("/subscriptions/{subscription_id}/end", {"credit_rest": False}, NEW_SUBSCRIPTION),
    _api("/subscriptions/{subscription_id}/pause", {"until": LATER}, NEW_SUBSCRIPTION),
    _api(
        "/subscriptions/{subscription_id}/resume",
        None,
        NEW_SUBSCRIPTION,
        _api("/subscriptions/{subscription_id}/pause", {}),
    ),
    _api("/subscriptions/{subscription_id}/suspend", None, NEW_SUBSCRIPTION),
    _api(
        "/subscriptions/{subscription_id}/credentials",
        {"name": "wanjiku@kahawa", "secret": "four-wet-goats"},
    ),
    _api(
        "/account-payments",
        {"subscriber": "{phone}", "amount": kes("10.00"), "payer": "{phone}", "rail": "mpesa"},
    ),
    NEW_RECEIVED,
    _api("/received/{received_id}/reverse", {"reason": "typed twice"}, NEW_RECEIVED),
    _api("/mandates/{mandate_id}/cancel", {"reason": "asked by phone"}),
    _api("/arrivals/{arrival_id}/assign", {"subscriber": "{phone}", "reason": "house 4"}),
    _api("/arrivals/{arrival_id}/refund", {"reason": "not ours"}),
    _api("/documents/{document}/credit", {"reason": "a mistake"}),
    _api(
        "/documents/{document}/instalments",
        {"count": 2, "first_due": LATER, "cycle": {"unit": "week", "count": 1}},
    ),
    _api("/documents/{document}/promise", {"day": "2026-11-30"}),
    _api("/documents/{document}/write-off", {"reason": "moved away"}),
    _api("/billing-runs/now"),
    _api(
        "/dunning-policies",
        {
            "segment": "",
            "terms_days": 7,
            "steps": [{"after_days": 3, "kind": "remind", "fee": None}],
        },
    ),
    NEW_STATEMENT,
    NEW_PROFILE,
    _api(
        "/reconciliations", {"rail": "bank", "place": "kcb-1", "day": "2026-11-22"}, NEW_STATEMENT
    ),
    _api("/differences/{difference_id}/explain", {"text": "seen on paper"}),
    _api("/alerts/{alert_id}/acknowledge"),
    _api("/alerts/{alert_id}/silence", {"for_s": 3_600}),
    _api("/alerts/{alert_id}/assign", {"to": "Juma"}),
    NEW_ROUTE,
    _api("/alert-routes/{route_id}/test", None, NEW_ROUTE),
    _api("/alert-routes/{route_id}/resume", None, NEW_ROUTE),
    _api("/alert-routes/{route_id}/remove", None, NEW_ROUTE),
    _api("/maintenance", {"id": "{once}", **WINDOW}),
    _api("/maintenance/{window_id}/end"),
    _api("/area-notices", {"id": "{once}", **TOLD}),
    _api("/area-notices/{notice_id}/stop"),
    _api("/outage-credits", CREDIT),
    _api("/imports", IMPORT),
    _api("/imports/{import_id}/undo", None, _api("/imports", IMPORT, keep="import_id")),
    _api(
        "/operator",
        {
            "name": "Kahawa Net",
            "kra_pin": "P051234567X",
            "pay_to": "PayBill 600111",
            "colour": "#0a7d5a",
            "vat_registered": True,
        },
    ),
    _api("/operator/logo", {"logo": SMALL_PNG}),
    _api("/tax-rates", {"tax": "vat", "from_day": "2027-01-01", "basis_points": 1_600}),
    _api(
        "/branches",
        {
            "id": "embu",
            "name": "Embu",
            "address": "Main Street",
            "phone": "0700",
            "email": "embu@example.com",
            "kra_branch": "03",
        },
    ),
    _api(
        "/branches/{branch_id}",
        {
            "name": "Thika town",
            "address": "Market Street",
            "phone": "0701",
            "email": "thika@example.com",
            "kra_branch": "04",
        },
    ),
    _api(
        "/staff",
        {
            "login": "0722000111",
            "name": "Achieng",
            "role": "support",
            "branches": ["{branch}"],
            "language": "sw",
        },
    ),
    _api("/staff/{staff_id}", {"name": "Pendo Mushi", "language": "sw"}),
    _api("/staff/{staff_id}/reset"),
    _api("/api-tokens", {"name": "a program", "days": 30}),
    _api("/api-tokens/{api_token_id}/revoke"),
)
"""What programs ask; each succeeds in the business, asked by the owner."""

MORE: tuple[Deed, ...] = (
    _api(
        "/subscribers/{subscriber}/mandates/order",
        {
            "amount": kes("300.00"),
            "frequency": "monthly",
            "starts_on": "2026-11-23",
            "ends_on": "2027-09-01",
            "consent": "asked by phone",
        },
    ),
    _api("/staff/setup-url"),
    _api("/maintenance/preview", {"id": "{once}", **WINDOW}),
    _api("/area-notices/preview", {"id": "{once}", **TOLD}),
    _api("/outage-credits/preview", CREDIT),
    _api("/imports/preview", IMPORT),
    _api("/vouchers/sheet", {"batch": "b1", "branch": "{branch}", "codes": ["ABCD-EFGH"]}),
)
"""The other routes that are posted to: attacked, and not driven to success."""

NOT_DRIVEN = {
    ("POST", f"{PREFIX}/staff/setup-url"): "refused for good when there is an owner",
    (
        "POST",
        f"{PREFIX}/subscribers/{{subscriber}}/mandates/order",
    ): "wants a Daraja: test_mandates",
}
ASKING_ONLY = {
    ("POST", f"{PREFIX}/maintenance/preview"): "says who would be told",
    ("POST", f"{PREFIX}/area-notices/preview"): "the same",
    ("POST", f"{PREFIX}/outage-credits/preview"): "says what would be given",
    ("POST", f"{PREFIX}/imports/preview"): "says what would be made",
    ("POST", f"{PREFIX}/vouchers/sheet"): "prints codes that the caller has",
}
"""Routes that want a body and change nothing."""


def _act(path: str, content: JsonBody | None = None, *first: Deed, keep: str = "") -> Deed:
    return Deed("POST", f"/noc{path}", content, first, keep)


def _sends(path: str) -> Deed:
    return Deed("POST", f"/noc{path}", files={"logo": base64.b64decode(SMALL_PNG)})


NEW_ADDRESS = _act("/setup/address", {"public_url": "https://kahawa.example.com"})
NEW_ACCOUNT = _act(
    "/setup/mpesa",
    {
        "environment": "sandbox",
        "shortcode": "600222",
        "till": "600333",
        "consumer_key": "a-consumer-key",
        "consumer_secret": "a-consumer-secret",
        "passkey": "a-passkey",
    },
    NEW_ADDRESS,
)
SETUP: tuple[Deed, ...] = (
    NEW_ADDRESS,
    _act("/setup/address/look", {}),
    _act("/setup/aside", {"step": "sms", "aside": "1"}),
    _act(
        "/setup/business",
        {
            "name": "Kahawa Net",
            "kra_pin": "P051234567X",
            "vat": "1",
            "support_phone": "0712 345 678",
            "languages": "sw,en",
            "colour": "#0b6e4f",
        },
    ),
    _sends("/setup/business/logo"),
    NEW_ACCOUNT,
    _act("/setup/mpesa/test", {"phone": "0712 345 678"}),
    _act(
        "/setup/sms",
        {
            "carrier": "africas_talking",
            "username": "kahawa",
            "api_key": "an-api-key",
            "sender_id": "KAHAWA",
        },
    ),
    _act("/setup/sms/test", {"phone": "0712 345 678"}),
    _act("/setup/{section}/forget", {}, NEW_ACCOUNT),
    _act("/setup/plans", {"template": "cafe", "cafe-1h": "20", "cafe-day": "100"}),
    _act("/setup/backups/confirm", {"ending": "{ending}"}),
    _act("/setup/backups/key", {}),
)
"""The set-up; each of its forms is posted by somebody of all branches."""

KEPT_VIEW = _act("/views/keep", {"place": "/noc/customers", "query": "?q=a", "name": "of mine"})
NEW_PASSWORD = "seven dry camels hum"
PROOF = {"password": "four wet goats sing"}
ACTS: tuple[Deed, ...] = (
    _act("/preferences", {"language": "sw", "theme": "dark", "redacted": "1", "back": "/noc"}),
    _act("/sites/{site_id}/probes", {"kind": "arp", "target": "10.77.0.10"}),
    _act("/sites/{site_id}/place", {"place": "-1.2921, 36.8219"}),
    _act("/sessions/{session_id}/disconnect", {"back": "/noc/sessions"}),
    _act(
        "/sessions/undo",
        {"grant_id": "{grant_id}", "mac": "02:00:00:00:00:01", "back": "/noc/sessions"},
        _act("/sessions/{session_id}/disconnect", {}),
    ),
    _act("/sessions/{session_id}/move", {"device_mac": "02:00:00:00:00:55"}),
    _act("/sessions/{session_id}/give", {"plan_id": "{plan_id}", "reason": "a long outage"}),
    _act("/sessions/{session_id}/block", {"sure": "02:00:00:00:00:01", "reason": "floods"}),
    _act(
        "/sessions/{session_id}/unblock",
        {},
        _act("/sessions/{session_id}/block", {"sure": "02:00:00:00:00:01", "reason": "floods"}),
    ),
    _act(
        "/customers/add",
        {
            "phone": "0733000002",
            "name": "Atieno",
            "email": "x@example.com",
            "address": "House 9",
            "kra_pin": "A123456789Z",
            "language": "sw",
            "segment": "business",
            "branch_id": "{branch}",
            "referred_by": "{phone}",
        },
    ),
    _act(
        "/customers/{subscriber}/edit",
        {
            "name": "Wanjiku",
            "email": "w@example.com",
            "address": "House 4",
            "kra_pin": "A123456789Z",
            "language": "en",
            "segment": "residential",
            "branch_id": "{branch}",
        },
    ),
    _act("/customers/{subscriber}/note", {"text": "calls in the evening"}),
    _act(
        "/customers/{subscriber}/credentials",
        {"subscription_id": "{subscription_id}", "name": "wanjiku@kahawa"},
    ),
    _act("/customers/{subscriber}/message", {"text": "We are on the mast now."}),
    _act(
        "/customers/{subscriber}/give",
        {
            "site_id": "{site_id}",
            "plan_id": "{plan_id}",
            "device_mac": "02:00:00:00:00:66",
            "reason": "a long outage",
        },
    ),
    _act(
        "/money/{arrival_id}/refund",
        {"sure": "REFUND", "reason": "not ours", "once": "{once}", "back": "/noc/payments"},
    ),
    _act(
        "/money/{arrival_id}/assign",
        {"subscriber": "{phone}", "reason": "house 4", "back": "/noc/payments"},
    ),
    _act("/differences/{difference_id}/explain", {"text": "seen on paper"}),
    _act(
        "/plans",
        {
            "id": "hours-5",
            "name": "5 hours",
            "price": "50",
            "down": "3",
            "up": "1",
            "validity": "5",
            "validity_unit": "hours",
            "audience": "hotspot",
            "tax": "internet",
            "devices": "1",
            "rank": "0",
            "quota": "",
            "uptime": "",
            "included": "1",
        },
    ),
    _act("/plans/{plan_id}/withdraw", {"sure": "WITHDRAW"}),
    _act(
        "/plans/{plan_id}/prices",
        {
            "branch": "{branch}",
            "segment": "business",
            "amount": "8",
            "from_day": "2026-11-23",
            "until_day": "2026-12-24",
        },
    ),
    _act("/plans/{plan_id}/prices/{price_id}/end", {"until_day": "2026-11-30"}),
    _act(
        "/vouchers/make",
        {
            "plan": "{plan_id}",
            "count": "3",
            "until": "2026-12-24",
            "where": "online",
            "once": "{once}",
        },
    ),
    _act(
        "/vouchers/sell",
        {
            "branch": "{branch}",
            "batch": "{batch}",
            "count": "1",
            "seller": "Mama Njeri",
            "rail": "cash",
            "commission": "0",
            "once": "{once}",
            "back": "/noc/vouchers",
        },
        NEW_VOUCHERS,
    ),
    _act(
        "/counter/take",
        {
            "subscriber": "{phone}",
            "rail": "cash",
            "amount": "50",
            "receipt": "",
            "note": "exact",
            "once": "{once}",
            "back": "/noc/counter",
        },
    ),
    _act(
        "/counter/ask",
        {
            "subscriber": "{phone}",
            "payer": "{phone}",
            "amount": "50",
            "rail": "mpesa",
            "once": "{once}",
            "back": "/noc/counter",
        },
    ),
    _act("/alerts/{alert_id}/acknowledge", {"back": "/noc/alerts"}),
    _act("/alerts/{alert_id}/silence", {"for_s": "3600", "back": "/noc/alerts"}),
    _act("/alerts/{alert_id}/assign", {"to": "Juma", "back": "/noc/alerts"}),
    _act(
        "/staff",
        {
            "login": "0722000112",
            "name": "Achieng",
            "role": "support",
            "branches": "{branch}",
            "language": "sw",
        },
    ),
    _act("/staff/{staff_id}", {"name": "Pendo Mushi", "role": "support", "branches": "{branch}"}),
    _act("/staff/{staff_id}/disable", {}),
    _act("/staff/{staff_id}/enable", {}, _act("/staff/{staff_id}/disable", {})),
    _act("/staff/{staff_id}/reset", {"sure": "reset"}),
    _act(
        "/me/password", {"old": PROOF["password"], "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    ),
    _act("/me/codes", PROOF),
    _act("/me/sessions/end", {}),
    _act("/me/tokens", {**PROOF, "name": "a program", "role": "support", "days": "30"}),
    _act("/me/tokens/{token_id}/revoke", {}),
    _act(
        "/brand",
        {
            "name": "Kahawa Net",
            "colour": "#0a7d5a",
            "support_phone": "0712 345 678",
            "languages": "sw,en",
            "pay_to": "PayBill 600111",
            "logo": "none",
        },
    ),
    _sends("/brand/logo"),
    _act(
        "/maintenance",
        {
            "area": "site:{site_id}",
            "from": "2026-11-24T22:00",
            "lasts": "2",
            "lasts_unit": "hours",
            "tell": "3600",
            "text_en": "We mend the mast.",
            "text_sw": "Tunatengeneza mnara.",
            "once": "{once}",
        },
    ),
    _act("/maintenance/{window_id}/end", {}),
    _act(
        "/promotions",
        {
            "kind": "coupon",
            "name": "Ten off",
            "code": "KARIBU20",
            "share": "10",
            "periods": "1",
            "uses": "5",
            "plan": "{plan_id}",
            "segment": "business",
            "branch": "{branch}",
            "from_day": "2026-11-23",
            "last_day": "2026-12-24",
        },
    ),
    _act(
        "/promotions",
        {
            "kind": "loyalty",
            "name": "Every tenth",
            "id": "tenth",
            "every": "10",
            "reward": "50",
            "plan": "{plan_id}",
        },
    ),
    _act(
        "/promotions",
        {"kind": "referral", "name": "Two", "id": "two", "referrer": "50", "referred": "20"},
    ),
    _act("/promotions/{promotion_id}/withdraw", {}, NEW_PROMOTION),
    _act(
        "/sites/new",
        {
            "name": "Estate 7",
            "id": "estate-7",
            "branch": "{branch}",
            "language": "sw",
            "place": "-1.2921, 36.8219",
            "back": "/noc/setup",
        },
    ),
    _act("/sites/{site_id}/joining", {"back": "/noc/setup"}),
    KEPT_VIEW,
    _act("/views/forget", {"place": "/noc/customers", "name": "of mine"}, KEPT_VIEW),
    *SETUP,
)
"""What forms of the dashboard post; each succeeds in the business, posted by the owner."""

ENTRY = {
    ("POST", "/noc/login"): "nobody is signed in yet",
    ("POST", "/noc/second"): "the same",
    ("POST", "/noc/welcome"): "the same",
    ("POST", "/noc/passkey/ask"): "the same",
    ("POST", "/noc/passkey/answer"): "the same",
    ("POST", "/noc/logout"): "it ends who asks",
}
ELSEWHERE = {
    ("POST", "/noc/differences/{difference_id}/compare"): "wants a statement; the API's is driven",
    ("POST", "/noc/me/app"): "wants a sealed secret; tests/controller/noc/test_staff_pages.py",
    ("POST", "/noc/me/passkeys/ask"): "wants an authenticator; test_sign_in_browser.py",
    ("POST", "/noc/me/passkeys"): "the same",
    ("POST", "/noc/me/passkeys/{key}/remove"): "the same",
    ("POST", "/noc/me/sessions/{session_id}/end"): "wants another session; test_staff_pages.py",
}
"""Forms that are not driven to success here; they are attacked all the same."""


def routes() -> set[tuple[str, str]]:
    """Every route of the HTTP application."""
    return {
        (method, route.path)
        for route in iter_route_contexts(described_app().routes)
        if route.path
        for method in route.methods or ()
    }


def writing_api() -> set[tuple[str, str]]:
    """Those of the API that are not asked by GET."""
    return {key for key in RIGHTS_OF if key[0] not in SAFE}


def acts() -> set[tuple[str, str]]:
    """What the dashboard's forms and scripts post to."""
    return {(m, p) for m, p in routes() if p.startswith("/noc") and m not in SAFE}


def filled(text: str, ids: Mapping[str, str]) -> str:
    """A text with the names in braces filled in; what nobody knows is called "none"."""
    return NAMES.sub(lambda found: ids.get(found[1], "none"), text)


def filled_in(content: Any, ids: Mapping[str, str]) -> Any:
    """The same for every text in a body."""
    if isinstance(content, str):
        return filled(content, ids)
    if isinstance(content, dict):
        return {name: filled_in(value, ids) for name, value in content.items()}
    if isinstance(content, list):
        return [filled_in(value, ids) for value in content]
    return content
