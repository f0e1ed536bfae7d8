"""``lango invoice``: documents that were issued; ``lango debt``: what is open of them."""

from datetime import datetime
from typing import Annotated, Any

import typer

from billing.invoice import DocumentKind
from billing.period import Cycle, Unit
from controller.cli import billing_words, units, words
from controller.cli.desk import Json, Limit, desk_of, typed
from controller.cli.examples import taught
from controller.cli.screen import toned
from controller.cli.subscribers import digits_of
from controller.cli.subscriptions import CYCLE, OfSubscriber

app = typer.Typer(no_args_is_help=True, help="Invoices, credit notes and receipts, as issued.")
debt = typer.Typer(no_args_is_help=True, help="Debts: what is open of invoices.")

DAY = typed(units.day)
AMOUNT = typed(units.minor)

Document = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As it is printed, or its id: INV-main-000042")
]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


@taught(
    app,
    "list",
    "lango invoice list --subscriber 0712345678",
    "lango invoice list --kind credit_note --json",
)
def list_documents(
    ctx: typer.Context,
    subscriber: OfSubscriber = None,
    kind: Annotated[DocumentKind | None, typer.Option(help="Only of this kind.")] = None,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List invoices, credit notes and receipts, newest first."""
    desk = desk_of(ctx)
    query = {"subscriber": digits_of(subscriber), "kind": kind}
    lines = desk.api.lines("/api/v1/documents", limit=limit, query=query)
    if json:
        desk.screen.json("documents", {"data": lines})
        return
    desk.screen.table(
        ("NUMBER", "ISSUED", "PHONE", "NAME", ">TOTAL", ">OPEN"),
        [
            (
                line["number"],
                words.day(line["issued_at"]),
                line["phone"],
                line["name"] or words.NOTHING,
                words.price(line["total"]),
                words.NOTHING if line["open"] is None else words.price(line["open"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such documents.")


@taught(app, "show", "lango invoice show INV-main-000042", "lango invoice show 3f2c… --json")
def show_document(ctx: typer.Context, number: Document, *, json: Json = False) -> None:
    """Show one document with its lines and taxes, and what became of it."""
    _show(ctx, desk_of(ctx).api.get(f"/api/v1/documents/{number}"), json=json)


@taught(
    app,
    "credit",
    'lango invoice credit INV-main-000042 --reason "no service on Monday" --amount 150',
    'lango invoice credit INV-main-000042 --reason "billed twice"',
)
def credit_invoice(
    ctx: typer.Context,
    number: Document,
    *,
    reason: Reason,
    amount: Annotated[
        int | None, typer.Option(parser=AMOUNT, metavar="AMOUNT", help="In KES; else all of it.")
    ] = None,
    json: Json = False,
) -> None:
    """Take back an invoice, or a part, by a credit note. Nothing issued is ever edited."""
    desk = desk_of(ctx)
    body = {"reason": reason, "amount": None if amount is None else units.kes(amount)}
    note = desk.api.post(f"/api/v1/documents/{number}/credit", body)
    if json:
        desk.screen.json("document", note)
        return
    desk.screen.line(note["number"])
    desk.screen.say(f"{words.price(note['total'])} credited to {note['phone']}.")


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("document", found)
        return
    screen.fields(_facts(found))
    screen.line("")
    screen.table(
        ("LINE", ">NET", ">EXCISE", ">VAT", ">TOTAL"),
        [
            *((line["text"], *_taxed(line)) for line in found["lines"]),
            ("total", *_taxed(found)),
        ],
    )
    for part in found["instalments"]:
        screen.line(f"instalment {words.moment_far(part['due_at'])}: {words.price(part['amount'])}")
    for step in found["steps"]:
        screen.line(f"dunning {words.moment_far(step['at'])}: {step['step']}")
    for note in found["credit_notes"]:
        screen.line(f"credit note {note['number']}: {words.price(note['total'])}")


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    who = f"{found['phone']} {found['name']}".strip()
    facts = [
        ("number", found["number"]),
        ("id", found["id"]),
        ("of", who),
        ("branch", found["branch_id"]),
        ("issued", words.moment_whole(found["issued_at"])),
    ]
    if found["period_start"]:
        served = billing_words.span_of(found["period_start"], found["period_end"])
        facts.append(("for", served))
    if found["open"] is not None:
        facts.append(("open", words.price(found["open"])))
        facts.append(("overdue from", words.moment_whole(found["overdue_at"])))
    if found["promised_until"]:
        facts.append(("promised until", words.moment_whole(found["promised_until"])))
    return facts


def _taxed(line: dict[str, Any]) -> tuple[str, ...]:
    parts = (words.money(line[part]) for part in ("net", "excise", "vat", "total"))
    return tuple(billing_words.plain_amount(part) for part in parts)


@taught(
    debt,
    "list",
    "lango debt list --overdue",
    "lango debt list --recovery --branch thika --json",
)
def list_debts(
    ctx: typer.Context,
    subscriber: OfSubscriber = None,
    branch: Annotated[str | None, typer.Option(help="Only of this branch.")] = None,
    *,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is overdue.")] = False,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="Only what people go after.")
    ] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List what is open of invoices, the oldest first."""
    desk = desk_of(ctx)
    query = {
        "subscriber": digits_of(subscriber),
        "branch_id": branch,
        "overdue": overdue,
        "recovery": recovery,
    }
    lines = desk.api.lines("/api/v1/debts", limit=limit, query=query)
    if json:
        desk.screen.json("debts", {"data": lines})
        return
    desk.screen.table(
        ("INVOICE", "PHONE", "NAME", "DUE", "OVERDUE", ">OPEN"),
        [
            (
                line["number"],
                line["phone"],
                line["name"] or words.NOTHING,
                words.moment(line["overdue_at"]),
                _how_old(line),
                words.price(line["open"]),
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nothing is open.")


def _how_old(line: dict[str, Any]) -> Any:
    if line["in_recovery"]:
        return toned("recovery", "bad")
    if line["bucket"] == "not_due":
        return toned("not yet", "good")
    if line["promised_until"]:
        return toned("promised", "busy")
    return toned(line["bucket"].replace("over_", "over ") + " days", "bad")


@taught(
    debt,
    "promise",
    "lango debt promise INV-main-000042 2026-12-05",
    "lango debt promise INV-main-000042 2026-12-05 --json",
)
def promise(
    ctx: typer.Context,
    number: Document,
    day: Annotated[
        datetime, typer.Argument(parser=DAY, metavar="DAY", help="The last day: 2026-12-05")
    ],
    *,
    json: Json = False,
) -> None:
    """Take a subscriber's word to pay by a day: until it ends nobody presses or suspends them."""
    body = {"day": day.date().isoformat()}
    _show(ctx, desk_of(ctx).api.post(f"/api/v1/documents/{number}/promise", body), json=json)


@taught(
    debt,
    "instalments",
    "lango debt instalments INV-main-000042 --parts 3 --first 2026-12-05",
    'lango debt instalments INV-main-000042 --parts 4 --first 2026-12-05 --every "2 weeks"',
)
def agree_instalments(
    ctx: typer.Context,
    number: Document,
    *,
    parts: Annotated[int, typer.Option(help="In how many equal parts.")],
    first: Annotated[
        datetime, typer.Option(parser=DAY, metavar="DAY", help="When the first is due.")
    ],
    every: Annotated[
        Cycle | None, typer.Option(parser=CYCLE, metavar="CYCLE", help="month, 2 weeks")
    ] = None,
    json: Json = False,
) -> None:
    """Let what is open be paid in equal parts, in place of what was agreed before."""
    often = every or Cycle(Unit.MONTH)
    body = {
        "count": parts,
        "first_due": first.isoformat(),
        "cycle": {"unit": often.unit, "count": often.count},
    }
    _show(ctx, desk_of(ctx).api.post(f"/api/v1/documents/{number}/instalments", body), json=json)


@taught(
    debt,
    "write-off",
    'lango debt write-off INV-main-000042 --reason "moved away"',
    'lango debt write-off INV-main-000042 --reason "moved away" --json',
)
def write_off(ctx: typer.Context, number: Document, *, reason: Reason, json: Json = False) -> None:
    """Give up what is open as a loss. The invoice stays as it is."""
    path = f"/api/v1/documents/{number}/write-off"
    _show(ctx, desk_of(ctx).api.post(path, {"reason": reason}), json=json)


@taught(debt, "policies", "lango debt policies", "lango debt policies --json")
def list_policies(ctx: typer.Context, *, json: Json = False) -> None:
    """List what happens to unpaid invoices, and when."""
    _policies(ctx, desk_of(ctx).api.get("/api/v1/dunning-policies")["data"], json=json)


@taught(
    debt,
    "set-policy",
    "lango debt set-policy --terms 7 --step remind-3 --step fee+5:100 --step suspend+7",
    "lango debt set-policy --segment business --terms 30 --step remind+0 --step recovery+30",
)
def set_policy(
    ctx: typer.Context,
    *,
    terms: Annotated[int, typer.Option(help="Days in which invoices may be paid.")],
    step: Annotated[
        list[str], typer.Option(help="remind-3, fee+5:100, suspend+7, recovery+30. Repeat it.")
    ],
    segment: Annotated[str, typer.Option(help="Only for these; else for all others.")] = "",
    json: Json = False,
) -> None:
    """Say what happens to unpaid invoices from now on: days from when they are due."""
    steps = [typed(units.dunning_step)(one) for one in step]
    body = {
        "segment": segment,
        "terms_days": terms,
        "steps": [
            {
                "kind": one.kind,
                "after_days": one.after_days,
                "fee": None if one.fee is None else units.kes(one.fee.minor),
            }
            for one in steps
        ],
    }
    done = desk_of(ctx).api.post("/api/v1/dunning-policies", body)
    _policies(ctx, done["data"], json=json)


def _policies(ctx: typer.Context, lines: list[dict[str, Any]], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("dunning-policies", {"data": lines})
        return
    screen.table(
        ("SEGMENT", ">DAYS TO PAY", "THEN"),
        [
            (
                line["segment"] or "all others",
                str(line["terms_days"]),
                ", ".join(_step(step) for step in line["steps"]) or words.NOTHING,
            )
            for line in lines
        ],
    )


def _step(step: dict[str, Any]) -> str:
    fee = f":{words.price(step['fee'])}" if step["fee"] else ""
    return f"{step['kind']}{step['after_days']:+d}{fee}"
