"""Statement files over HTTP, what they come to each day, and the places where money lands."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.api.door import BODY_BYTES_MAX, LONGER_BODY_BYTES_MAX
from controller.payments.bank_notice import Bank, BankSettings
from controller.payments.memory import MemoryGateway
from controller.payments.statements.statement import BYTES_MAX
from controller.sandbox.bank.tables import write_portal
from controller.store import places
from controller.usecases import doors
from controller.usecases.arrivals import arrive
from tests.controller.api.billing import got, made, money, posted, refused
from tests.support.arrivals import money_seen
from tests.support.builders import SHORTCODE
from tests.support.office import NOON, Office, caller
from tests.support.statements import NOON as PAID_AT
from tests.support.statements import a_till, fee, more, paid

if TYPE_CHECKING:
    import httpx2

    from controller.sandbox.bank.movements import Account

DAY = "2026-11-22"
OF_DAY: dict[str, Any] = {"rail": "mpesa", "place": SHORTCODE, "day": DAY}
PROFILE: dict[str, Any] = {
    "columns": {"when": ["Date"], "text": ["Narrative"], "paid_in": ["In"], "paid_out": ["Out"]},
    "dates": ["%d/%m/%Y"],
    "delimiter": ";",
    "comma": True,
}
BANK_CSV = b"Date;Narrative;In;Out\n22/11/2026;FT26330X1Q 0712345678;1.500,50;\n"


def as_file(data: bytes, **more_of: str) -> dict[str, str]:
    return {"name": "file.csv", "file": base64.b64encode(data).decode(), **more_of}


def the_till() -> Account:
    """Two payments of KES 1,500 and what M-PESA kept of one, on the day before."""
    return a_till(paid("UGE5L8M3RZ"), fee("UGE5L8M3RZ"), paid("UGE5L8M3S0"))


async def imported(office: Office, account: Account | None = None, key: str = "k" * 8) -> Any:
    return await made(office, "statements", as_file(write_portal(account or the_till())), key)


async def put(office: Office, name: str, body: object) -> httpx2.Response:
    async with caller(office) as client:
        return await client.put(f"/api/v1/statement-profiles/{name}", json=body)


async def test_a_statement_is_imported_once_and_listed(office: Office) -> None:
    first = await imported(office)
    again = await imported(office)
    other_key = await imported(office, key="another-key")
    listed = await got(office, "statements")
    balances = {
        line["account"]: line["balance"]["amount"]
        for line in (await got(office, "ledger/balances"))["data"]
    }

    assert first == again
    assert (first["rail"], first["place"], first["lines"]) == ("mpesa", SHORTCODE, 3)
    assert (first["first_day"], first["last_day"]) == (DAY, DAY)
    assert (first["new_lines"], first["is_new"], first["left"]) == (3, True, False)
    assert (other_key["id"], other_key["new_lines"], other_key["is_new"]) == (first["id"], 0, False)
    assert [line["id"] for line in listed["data"]] == [first["id"]]
    assert balances[f"asset:mpesa:{SHORTCODE}"] == "2991.75"
    assert balances["expense:main:charge:mpesa"] == "8.25"


async def test_a_long_list_of_statements_comes_in_pages(office: Office) -> None:
    account = the_till()
    for n in range(5):
        await imported(office, account, f"key-0000000{n}")
        account = more(account, paid(f"UGE5L8M4R{n}"))
        office.clock.forward(minutes=n % 2)  # some of them at the same moment
    first = await got(office, "statements", limit="3")
    second = await got(office, "statements", limit="3", cursor=first["next_cursor"])
    ids = [line["id"] for page in (first, second) for line in page["data"]]

    assert len(set(ids)) == len(ids) == 5
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("file", {"name": "x.csv", "file": "not base64!"}),
        ("file", as_file(b"nothing that we know")),
        ("file", as_file(b"PK\x03\x04 a spreadsheet")),
        ("place", as_file(write_portal(the_till()), place="999999")),
        ("rail", as_file(write_portal(the_till()), rail="bank")),
        ("name", as_file(b"x") | {"name": "two\nlines"}),
        ("colour", as_file(b"x", colour="red")),
    ],
)
async def test_a_file_that_is_no_statement_names_its_field_and_changes_nothing(
    office: Office, field: str, body: dict[str, str]
) -> None:
    answer = await refused(office, "statements", body)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_a_profile_that_is_not_there_is_named(office: Office) -> None:
    answer = await refused(office, "statements", as_file(BANK_CSV, profile="kcb"))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "profile")


async def test_a_file_may_be_ten_million_bytes_and_no_more(office: Office) -> None:
    largest = as_file(b"x" * BYTES_MAX)
    too_large = as_file(b"x" * (BYTES_MAX + 1))
    huge = b" " * (LONGER_BODY_BYTES_MAX["/api/v1/statements"] + 1)
    answers = [await posted(office, "statements", body) for body in (largest, too_large)]
    async with caller(office) as client:
        longest = await client.post("/api/v1/statements", content=huge)
        elsewhere = await client.post("/api/v1/places", content=b" " * (BODY_BYTES_MAX + 1))

    assert [one.status_code for one in answers] == [422, 422]
    assert "is no MT940" in answers[0].text
    assert (longest.status_code, elsewhere.status_code) == (413, 405)


async def test_how_a_bank_writes_is_saved_shown_and_used(office: Office) -> None:
    saved = (await put(office, "kcb", PROFILE)).json()
    listed = await got(office, "statement-profiles")
    done = await made(
        office, "statements", as_file(BANK_CSV, rail="bank", place="1234567890", profile="kcb")
    )

    assert {name: saved[name] for name in PROFILE} == PROFILE
    assert listed["data"] == [saved] == [await got(office, "statement-profiles/kcb")]
    assert (done["rail"], done["place"], done["new_lines"]) == ("bank", "1234567890", 1)


async def test_a_profile_that_is_saved_again_is_another(office: Office) -> None:
    await put(office, "kcb", PROFILE)
    await put(office, "kcb", {**PROFILE, "delimiter": ","})

    assert (await got(office, "statement-profiles/kcb"))["delimiter"] == ","


@pytest.mark.parametrize(
    ("name", "field", "change"),
    [
        ("KCB", "name", {}),
        ("k" * 33, "name", {}),
        ("kcb", "dates", {"dates": []}),
        ("kcb", "dates", {"dates": ["soon"]}),
        ("kcb", "delimiter", {"delimiter": "x"}),
        ("kcb", "columns.when", {"columns": {"amount": ["Amount"]}}),
        ("kcb", "columns.amount", {"columns": {"when": ["Date"]}}),
        ("kcb", "colour", {"colour": "red"}),
    ],
)
async def test_a_profile_that_cannot_be_names_its_field(
    office: Office, name: str, field: str, change: dict[str, Any]
) -> None:
    answer = await put(office, name, {**PROFILE, **change})

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert (await got(office, "statement-profiles"))["data"] == []


async def test_a_day_on_which_both_sides_agree_has_no_differences(office: Office) -> None:
    await imported(office)
    done = await made(office, "reconciliations", OF_DAY)
    (listed,) = (await got(office, "reconciliations"))["data"]

    assert (done["told"], done["booked"], done["differences"]) == (
        money("2991.75"),
        money("2991.75"),
        [],
    )
    assert (listed["day"], listed["told"], listed["differences"]) == (DAY, money("2991.75"), 0)


async def test_a_difference_is_listed_explained_and_goes_by_itself(office: Office) -> None:
    await imported(office)
    await arrive(office.deps, money_seen("UGE5L8M3ZZ", shillings=70, at=PAID_AT))
    (found,) = (await made(office, "reconciliations", OF_DAY))["differences"]
    open_ones = (await got(office, "differences", state="open"))["data"]
    named = f"differences/{found['id']}/explain"
    explained = await made(office, named, {"text": "the portal lags " * 15})
    again = (await made(office, "reconciliations", OF_DAY))["differences"]
    late = more(the_till(), paid("UGE5L8M3ZZ", 70, at=PAID_AT + timedelta(minutes=1)))
    await imported(office, late, "key-of-late-file")
    gone = await made(office, "reconciliations", OF_DAY)
    too_late = await posted(office, named, {"text": "still"})

    assert (found["kind"], found["receipt"]) == ("missing_there", "UGE5L8M3ZZ")
    assert (found["told"], found["booked"], found["state"]) == (None, money("70.00"), "open")
    assert open_ones == [found]
    assert (explained["state"], explained["explanation"]) == ("explained", "the portal lags " * 15)
    assert again == [explained]
    assert gone["differences"] == []
    assert (await got(office, "differences", state="gone"))["data"][0]["id"] == found["id"]
    assert (too_late.status_code, too_late.json()["code"]) == (409, "difference_gone")


async def test_differences_are_narrowed_and_paged(office: Office) -> None:
    await imported(office)
    for n in range(5):
        await arrive(office.deps, money_seen(f"UGE5L8M9R{n}", shillings=70, at=PAID_AT))
    await made(office, "reconciliations", OF_DAY)
    first = await got(office, "differences", limit="3", day=DAY, rail="mpesa", place=SHORTCODE)
    second = await got(office, "differences", limit="3", cursor=first["next_cursor"])
    receipts = [line["receipt"] for page in (first, second) for line in page["data"]]

    assert sorted(receipts) == [f"UGE5L8M9R{n}" for n in range(5)]
    for narrowed in ({"state": "gone"}, {"day": "2026-11-21"}, {"rail": "bank"}, {"place": "1"}):
        assert (await got(office, "differences", **narrowed))["data"] == []


async def test_days_are_narrowed_and_paged(office: Office) -> None:
    days = [PAID_AT - timedelta(days=n) for n in range(3)]
    moves = [paid(f"UGE5L8M3R{n}", at=at) for n, at in enumerate(days)]
    await imported(office, a_till(*reversed(moves)))
    for at in days:
        await made(office, "reconciliations", {**OF_DAY, "day": at.date().isoformat()})
    first = await got(office, "reconciliations", limit="2")
    second = await got(office, "reconciliations", limit="2", cursor=first["next_cursor"])
    told = [line["day"] for page in (first, second) for line in page["data"]]

    assert told == [at.date().isoformat() for at in days]
    assert (await got(office, "reconciliations", rail="bank"))["data"] == []
    assert len((await got(office, "reconciliations", place=SHORTCODE))["data"]) == 3


async def test_a_day_of_which_no_statement_tells_is_a_conflict(office: Office) -> None:
    answer = await refused(office, "reconciliations", OF_DAY)

    assert (answer.status_code, answer.json()["code"]) == (409, "day_untold")
    assert answer.json()["errors"][0]["field"] == "day"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("rail", {"rail": "M-PESA"}),
        ("place", {"place": "a b"}),
        ("day", {"day": "yesterday"}),
        ("day", {"day": "0001-01-01"}),
        ("day", {"day": "9999-12-31"}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_a_day_that_cannot_be_names_its_field(
    office: Office, field: str, change: dict[str, str]
) -> None:
    answer = await refused(office, "reconciliations", {**OF_DAY, **change})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("text", "status", "field"),
    [("", 422, "text"), (" ", 422, "text"), ("x" * 301, 422, "text"), ("why", 404, None)],
)
async def test_an_explanation_that_cannot_be_names_what_is_wrong(
    office: Office, text: str, status: int, field: str | None
) -> None:
    answer = await posted(office, "differences/nothing/explain", {"text": text})

    assert answer.status_code == status
    assert field is None or answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("path", ["statements", "reconciliations", "differences"])
@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"cursor": "x"}, {"cursor": "W10"}, {"colour": "red"}],
)
async def test_a_page_that_cannot_be_is_refused(
    office: Office, path: str, query: dict[str, str]
) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, next(iter(query)))


@pytest.mark.parametrize("path", ["statements", "reconciliations", "differences"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00"])
async def test_a_cursor_that_somebody_made_up_is_no_fault_of_ours(
    office: Office, path: str, at: str
) -> None:
    cursor = base64.urlsafe_b64encode(f'["{at}", "x"]'.encode()).decode().rstrip("=")

    assert (await got(office, path, cursor=cursor))["data"] == []


@pytest.mark.parametrize(
    ("path", "status"), [("statement-profiles/none", 404), ("statement-profiles/%00", 422)]
)
async def test_a_profile_of_nobody_is_not_found(office: Office, path: str, status: int) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}")

    assert answer.status_code == status


async def test_places_are_shown_as_told_and_as_booked(office: Office) -> None:
    await imported(office)
    deps = replace(
        office.deps,
        more_gateways=(MemoryGateway(rail="card", place="LANGO"),),
        bank=BankSettings(bank=Bank.JENGA, place="1234567890", user="bank", password="secret-word"),
    )
    async with deps.db.begin() as tx:
        row = await places.locked(tx, "mpesa", SHORTCODE)
        row.balance_minor, row.balance_at, row.pulled_until = 300_000, NOON, NOON
    found = (await got(replace(office, deps=deps), "places"))["data"]
    told = {f"{line['rail']} {line['place']}": line for line in found}
    till = told[f"mpesa {SHORTCODE}"]

    assert list(told) == ["bank 1234567890", "card LANGO", f"mpesa {SHORTCODE}"]
    assert (till["told"], till["booked"]) == (money("3000.00"), money("2991.75"))
    assert (till["told_at"], till["pulled_until"]) == ("2026-11-23T09:00:00Z",) * 2
    assert (told["card LANGO"]["told"], told["card LANGO"]["booked"]) == (None, money("0.00"))
    assert [line["registered"] for line in found] == [None, None, False]


async def test_a_place_is_registered_while_our_address_is_the_one_that_was_told(
    office: Office,
) -> None:
    address = doors.address_of(office.deps, doors.PAYBILL)
    async with office.deps.db.begin() as tx:
        row = await places.locked(tx, "mpesa", SHORTCODE)
        row.registered_as = office.deps.vault.fingerprint("registered", address)
    (before,) = (await got(office, "places"))["data"]
    async with office.deps.db.begin() as tx:
        row = await places.locked(tx, "mpesa", SHORTCODE)
        row.registered_as = office.deps.vault.fingerprint("registered", "https://old.example")
    (after,) = (await got(office, "places"))["data"]

    assert (before["registered"], after["registered"]) == (True, False)


async def test_a_statement_of_an_account_is_where_it_was(office: Office) -> None:
    await imported(office)
    async with caller(office) as client:
        answer = await client.get("/api/v1/statements/254799999999")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "subscriber")
