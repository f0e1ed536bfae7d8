"""What each route of the HTTP API wants of who asks: one row for every route, denied without one.

A row says the right, and how it is found to which branch the request belongs. Staff who are held
to some branches are answered as if nothing else existed:

- ``of`` is the kind of the object in the path. One of another branch is not found.
- `BUSINESS` is what belongs to the whole business (the ledger, plans, runs): it is forbidden to
  those who are held to some branches, because part of it cannot be told from the rest.
- `NAMED` are fields of query and body that name objects. One of another branch is not found.
- ``naming`` is the field by which such staff must say for which site or branch they ask; without
  it the whole business would be meant.

Lists say nothing of all this: their queries take the branches of who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/api/v1"
"""Below this every route wants a row."""

BUSINESS = "business"
"""The kind of what belongs to no branch, but to all of them."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "site": ("site_id",),
    "subscriber": ("subscriber",),
    "subscription": ("subscription_id",),
    "document": ("document", "name"),
    "price": ("price_id",),
    "grant": ("grant_id",),
    "session": ("session_id",),
    "token": ("token_id",),
    "payment": ("order_id",),
    "received": ("received_id",),
    "arrival": ("arrival_id",),
    "refund": ("refund_id",),
    "mandate": ("mandate_id",),
    "branch": ("branch_id",),
    "alert": ("alert_id",),
    "maintenance": ("window_id",),
    "area_notice": ("notice_id",),
}
"""By which parameter of a path an object of a kind is named."""

NAMED: Mapping[str, str] = {
    "site_id": "site",
    "sites": "site",
    "subscriber": "subscriber",
    "referred_by": "subscriber",
    "branch_id": "branch",
    "branch": "branch",
    "arrival_id": "arrival",
}
"""Fields of queries and bodies that name an object, by what kind it is; of any route."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a route wants.

    ``names`` are further fields that name objects on this route only, ``more`` are fields that
    want another right beside when they are sent (a price of one's own choosing).
    """

    right: Right
    of: str = ""
    naming: str = ""
    names: tuple[tuple[str, str], ...] = ()
    more: tuple[tuple[str, Right], ...] = ()


def _under(prefix: str, rows: dict[tuple[str, str], Need]) -> dict[tuple[str, str], Need]:
    return {(method, f"{PREFIX}{prefix}{path}"): need for (method, path), need in rows.items()}


_SITES = _under(
    "/sites",
    {
        ("GET", ""): Need(Right.SEE_SITES),
        ("POST", ""): Need(Right.RUN_SITES, BUSINESS),
        ("GET", "/{site_id}"): Need(Right.SEE_SITES, "site"),
        ("PATCH", "/{site_id}"): Need(Right.RUN_SITES, "site"),
        ("POST", "/{site_id}/branch"): Need(Right.RUN_SYSTEM, "site"),
        ("POST", "/{site_id}/join-commands"): Need(Right.RUN_SITES, "site"),
        ("POST", "/{site_id}/join-tokens"): Need(Right.RUN_SITES, "site"),
        ("GET", "/{site_id}/pools"): Need(Right.SEE_SITES, "site"),
        ("POST", "/{site_id}/pools"): Need(Right.RUN_SITES, "site"),
        ("POST", "/{site_id}/pools/{pool_id}"): Need(Right.RUN_SITES, "site"),
        ("POST", "/{site_id}/pools/{pool_id}/remove"): Need(Right.RUN_SITES, "site"),
        ("GET", "/{site_id}/probes"): Need(Right.SEE_SITES, "site"),
        ("POST", "/{site_id}/probes"): Need(Right.RUN_SITES, "site"),
        ("GET", "/{site_id}/probes/{probe_id}"): Need(Right.SEE_SITES, "site"),
        ("POST", "/{site_id}/token-keys"): Need(Right.RUN_SITES, "site"),
        ("GET", "/{site_id}/series"): Need(Right.SEE_SITES, "site"),
        ("GET", "/{site_id}/vitals"): Need(Right.SEE_SITES, "site"),
    },
)

_NETWORK = _under(
    "",
    {
        ("GET", "/sessions"): Need(Right.SEE_SESSIONS),
        ("POST", "/sessions/{session_id}/disconnect"): Need(Right.RUN_SESSIONS, "session"),
        ("POST", "/sessions/{session_id}/move"): Need(Right.RUN_SESSIONS, "session"),
        ("POST", "/sessions/{session_id}/give"): Need(Right.GIVE_ACCESS, "session"),
        ("GET", "/devices/blocked"): Need(Right.SEE_SESSIONS),
        ("POST", "/devices/block"): Need(Right.RUN_SESSIONS, naming="site_id"),
        ("POST", "/devices/unblock"): Need(Right.RUN_SESSIONS, naming="site_id"),
        ("GET", "/notices"): Need(Right.SEE_ALERTS),
        ("GET", "/usage/top"): Need(Right.SEE_SESSIONS),
        ("GET", "/usage/segments"): Need(Right.SEE_SESSIONS),
        ("GET", "/garden"): Need(Right.SEE_SITES),
        ("POST", "/garden"): Need(Right.RUN_SITES, naming="site_id"),
        ("POST", "/garden/remove"): Need(Right.RUN_SITES, naming="site_id"),
        ("GET", "/grants"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/grants"): Need(Right.GIVE_ACCESS, naming="site_id"),
        ("GET", "/grants/{grant_id}"): Need(Right.SEE_CUSTOMERS, "grant"),
        ("POST", "/grants/{grant_id}/devices"): Need(Right.RUN_SESSIONS, "grant"),
        ("POST", "/grants/{grant_id}/suspend"): Need(Right.RUN_SESSIONS, "grant"),
        ("POST", "/grants/{grant_id}/resume"): Need(Right.RUN_SESSIONS, "grant"),
        ("POST", "/grants/{grant_id}/revoke"): Need(Right.GIVE_ACCESS, "grant"),
    },
)

_SHARED = (("commission_bp", Right.BOOK_MONEY),)

_SALES = _under(
    "",
    {
        ("GET", "/plans"): Need(Right.SEE_PLANS),
        ("POST", "/plans"): Need(Right.EDIT_PLANS, BUSINESS),
        ("GET", "/plans/{plan_id}"): Need(Right.SEE_PLANS),
        ("POST", "/plans/{plan_id}/withdraw"): Need(Right.EDIT_PLANS, BUSINESS),
        ("GET", "/plans/{plan_id}/prices"): Need(Right.SEE_PLANS),
        ("POST", "/plans/{plan_id}/prices"): Need(Right.EDIT_PLANS, naming="branch_id"),
        ("GET", "/plans/{plan_id}/prices/holding"): Need(Right.SEE_PLANS),
        ("POST", "/plans/{plan_id}/prices/{price_id}/end"): Need(Right.EDIT_PLANS, "price"),
        ("GET", "/promotions"): Need(Right.SEE_PLANS),
        ("POST", "/promotions"): Need(Right.EDIT_PLANS, BUSINESS),
        ("POST", "/promotions/{promotion_id}/withdraw"): Need(Right.EDIT_PLANS, BUSINESS),
        ("GET", "/vouchers"): Need(Right.SEE_VOUCHERS),
        ("POST", "/vouchers"): Need(Right.MAKE_VOUCHERS, BUSINESS),
        ("GET", "/vouchers/doubles"): Need(Right.SEE_VOUCHERS),
        ("POST", "/vouchers/sheet"): Need(Right.SELL_VOUCHERS, naming="branch"),
        ("POST", "/vouchers/sales"): Need(
            Right.SELL_VOUCHERS, naming="branch", names=(("place", "branch"),), more=_SHARED
        ),
        ("GET", "/tokens"): Need(Right.SEE_VOUCHERS),
        ("POST", "/tokens"): Need(Right.GIVE_ACCESS, naming="site_id"),
        ("POST", "/tokens/{token_id}/resend"): Need(Right.MESSAGE, "token"),
    },
)

_CUSTOMERS = _under(
    "",
    {
        ("GET", "/subscribers"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/subscribers"): Need(Right.EDIT_CUSTOMERS, naming="branch_id"),
        ("GET", "/subscribers/{subscriber}"): Need(Right.SEE_CUSTOMERS, "subscriber"),
        ("POST", "/subscribers/{subscriber}"): Need(Right.EDIT_CUSTOMERS, "subscriber"),
        ("GET", "/subscribers/{subscriber}/why"): Need(Right.SEE_CUSTOMERS, "subscriber"),
        ("POST", "/subscribers/{subscriber}/adjust"): Need(Right.BOOK_MONEY, "subscriber"),
        ("POST", "/subscribers/{subscriber}/transfer"): Need(
            Right.BOOK_MONEY, "subscriber", names=(("target", "subscriber"),)
        ),
        ("GET", "/subscribers/{subscriber}/mandates"): Need(Right.SEE_MONEY, "subscriber"),
        ("POST", "/subscribers/{subscriber}/mandates/card"): Need(Right.TAKE_MONEY, "subscriber"),
        ("POST", "/subscribers/{subscriber}/mandates/order"): Need(Right.TAKE_MONEY, "subscriber"),
        ("POST", "/subscribers/{subscriber}/promotions"): Need(Right.EDIT_CUSTOMERS, "subscriber"),
        ("GET", "/mandates/{mandate_id}"): Need(Right.SEE_MONEY, "mandate"),
        ("POST", "/mandates/{mandate_id}/cancel"): Need(Right.EDIT_CUSTOMERS, "mandate"),
        ("GET", "/search"): Need(Right.SEE_CUSTOMERS),
        ("GET", "/messages"): Need(Right.SEE_CUSTOMERS),
        ("GET", "/messages/costs"): Need(Right.SEE_MONEY, BUSINESS),
    },
)

_PRICED = (("price", Right.EDIT_PLANS),)

_SUBSCRIPTIONS = _under(
    "/subscriptions",
    {
        ("GET", ""): Need(Right.SEE_CUSTOMERS),
        ("POST", ""): Need(Right.EDIT_CUSTOMERS, naming="subscriber", more=_PRICED),
        ("GET", "/{subscription_id}"): Need(Right.SEE_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}"): Need(Right.EDIT_CUSTOMERS, "subscription"),
        ("GET", "/{subscription_id}/quote"): Need(Right.SEE_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/change"): Need(
            Right.EDIT_CUSTOMERS, "subscription", more=_PRICED
        ),
        ("GET", "/{subscription_id}/credentials"): Need(Right.SEE_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/credentials"): Need(Right.EDIT_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/pause"): Need(Right.EDIT_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/suspend"): Need(Right.EDIT_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/resume"): Need(Right.EDIT_CUSTOMERS, "subscription"),
        ("POST", "/{subscription_id}/end"): Need(Right.EDIT_CUSTOMERS, "subscription"),
    },
)

_MONEY = _under(
    "",
    {
        ("GET", "/payments"): Need(Right.SEE_MONEY),
        ("GET", "/payments/waiting"): Need(Right.SEE_MONEY),
        ("GET", "/payments/{order_id}"): Need(Right.SEE_MONEY, "payment"),
        ("POST", "/account-payments"): Need(Right.TAKE_MONEY, naming="subscriber"),
        ("GET", "/account-payments/qr"): Need(Right.TAKE_MONEY, naming="subscriber"),
        ("GET", "/account-payments/{order_id}"): Need(Right.TAKE_MONEY, "payment"),
        ("GET", "/received"): Need(Right.SEE_MONEY),
        ("POST", "/received"): Need(
            Right.TAKE_MONEY, naming="subscriber", names=(("place", "branch"),)
        ),
        ("GET", "/received/{received_id}"): Need(Right.SEE_MONEY, "received"),
        ("POST", "/received/{received_id}/reverse"): Need(Right.BOOK_MONEY, "received"),
        ("GET", "/arrivals"): Need(Right.SEE_MONEY),
        ("GET", "/arrivals/unmatched"): Need(Right.SEE_MONEY),
        ("GET", "/arrivals/{arrival_id}"): Need(Right.SEE_MONEY, "arrival"),
        ("GET", "/arrivals/{arrival_id}/suggestions"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/arrivals/{arrival_id}/assign"): Need(Right.BOOK_MONEY, "arrival"),
        ("POST", "/arrivals/{arrival_id}/refund"): Need(Right.BOOK_MONEY, "arrival"),
        ("GET", "/refunds"): Need(Right.SEE_MONEY),
        ("GET", "/refunds/{refund_id}"): Need(Right.SEE_MONEY, "refund"),
        ("GET", "/documents"): Need(Right.SEE_MONEY),
        ("GET", "/documents/{document}"): Need(Right.SEE_MONEY, "document"),
        ("GET", "/documents/{name}/pdf"): Need(Right.SEE_MONEY, "document"),
        ("GET", "/documents/{name}/page"): Need(Right.SEE_MONEY, "document"),
        ("POST", "/documents/{document}/credit"): Need(Right.BOOK_MONEY, "document"),
        ("POST", "/documents/{document}/promise"): Need(Right.EDIT_CUSTOMERS, "document"),
        ("POST", "/documents/{document}/instalments"): Need(Right.BOOK_MONEY, "document"),
        ("POST", "/documents/{document}/write-off"): Need(Right.BOOK_MONEY, "document"),
        ("GET", "/debts"): Need(Right.SEE_MONEY),
        ("GET", "/statements/{subscriber}"): Need(Right.SEE_MONEY, "subscriber"),
        ("GET", "/reports/{name}"): Need(Right.SEE_MONEY, naming="branch"),
    },
)

_BOOKS = _under(
    "",
    {
        ("GET", "/ledger/balances"): Need(Right.SEE_MONEY, BUSINESS),
        ("GET", "/ledger/transactions"): Need(Right.SEE_MONEY, BUSINESS),
        ("GET", "/billing-runs"): Need(Right.SEE_MONEY, BUSINESS),
        ("GET", "/billing-runs/preview"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/billing-runs/now"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/dunning-policies"): Need(Right.SEE_MONEY),
        ("POST", "/dunning-policies"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/statements"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/statements"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/statement-profiles"): Need(Right.SEE_MONEY, BUSINESS),
        ("GET", "/statement-profiles/{name}"): Need(Right.SEE_MONEY, BUSINESS),
        ("PUT", "/statement-profiles/{name}"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/reconciliations"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/reconciliations"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/differences"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/differences/{difference_id}/explain"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/places"): Need(Right.SEE_MONEY, BUSINESS),
    },
)

_TOLD = (("tell_before_s", Right.MESSAGE),)

_ALERTS = _under(
    "",
    {
        ("GET", "/alerts"): Need(Right.SEE_ALERTS),
        ("GET", "/alerts/{alert_id}"): Need(Right.SEE_ALERTS, "alert"),
        ("POST", "/alerts/{alert_id}/acknowledge"): Need(Right.RUN_ALERTS, "alert"),
        ("POST", "/alerts/{alert_id}/silence"): Need(Right.RUN_ALERTS, "alert"),
        ("POST", "/alerts/{alert_id}/assign"): Need(Right.RUN_ALERTS, "alert"),
        ("GET", "/alert-routes"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("POST", "/alert-routes"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/alert-routes/{route_id}/webhooks"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("POST", "/alert-routes/{route_id}/test"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("POST", "/alert-routes/{route_id}/resume"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("POST", "/alert-routes/{route_id}/remove"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("POST", "/sites/{site_id}/upstream"): Need(
            Right.RUN_SITES, "site", names=(("parent_id", "site"),)
        ),
        ("GET", "/maintenance"): Need(Right.SEE_ALERTS),
        ("POST", "/maintenance/preview"): Need(Right.RUN_ALERTS),
        ("POST", "/maintenance"): Need(Right.RUN_ALERTS, more=_TOLD),
        ("POST", "/maintenance/{window_id}/end"): Need(Right.RUN_ALERTS, "maintenance"),
        ("GET", "/area-notices"): Need(Right.SEE_ALERTS),
        ("POST", "/area-notices/preview"): Need(Right.MESSAGE),
        ("POST", "/area-notices"): Need(Right.MESSAGE),
        ("POST", "/area-notices/{notice_id}/stop"): Need(Right.MESSAGE, "area_notice"),
        ("GET", "/outages"): Need(Right.SEE_SITES),
        ("GET", "/outage-credits"): Need(Right.SEE_MONEY, BUSINESS),
        ("POST", "/outage-credits/preview"): Need(Right.BOOK_MONEY),
        ("POST", "/outage-credits"): Need(Right.BOOK_MONEY, BUSINESS),
        ("GET", "/outage-credits/{run_id}"): Need(Right.SEE_MONEY, BUSINESS),
    },
)

_OPERATOR = _under(
    "",
    {
        ("GET", "/openapi.json"): Need(Right.SEE_CUSTOMERS),
        ("GET", "/operator"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/operator"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/operator/logo"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/operator/logo"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/tax-rates"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/tax-rates"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/audit"): Need(Right.SEE_AUDIT, BUSINESS),
        ("GET", "/branches"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/branches"): Need(Right.RUN_SYSTEM, BUSINESS),
        ("GET", "/branches/{branch_id}"): Need(Right.SEE_CUSTOMERS, "branch"),
        ("POST", "/branches/{branch_id}"): Need(Right.RUN_SYSTEM, "branch"),
    },
)

_STAFF = _under(
    "",
    {
        ("GET", "/staff"): Need(Right.SEE_STAFF),
        ("POST", "/staff"): Need(Right.RUN_STAFF, names=(("branches", "branch"),)),
        ("POST", "/staff/setup-url"): Need(Right.RUN_STAFF, BUSINESS),
        ("GET", "/staff/{staff_id}"): Need(Right.SEE_STAFF),
        ("POST", "/staff/{staff_id}"): Need(Right.RUN_STAFF, names=(("branches", "branch"),)),
        ("POST", "/staff/{staff_id}/reset"): Need(Right.RUN_STAFF),
        ("GET", "/api-tokens"): Need(Right.SEE_CUSTOMERS),
        ("POST", "/api-tokens"): Need(Right.SEE_CUSTOMERS, names=(("branches", "branch"),)),
        ("POST", "/api-tokens/{api_token_id}/revoke"): Need(Right.SEE_CUSTOMERS),
    },
)
"""Whom somebody rules over is decided by ``controller/usecases/staff.py``, for pages too. Anybody
has keys of their own."""

RIGHTS_OF: dict[tuple[str, str], Need] = {
    **_SITES,
    **_NETWORK,
    **_SALES,
    **_CUSTOMERS,
    **_SUBSCRIPTIONS,
    **_MONEY,
    **_BOOKS,
    **_ALERTS,
    **_OPERATOR,
    **_STAFF,
}
"""By method and path, as FastAPI has it. Every role has ``see_customers``: it stands for "any
staff"."""
