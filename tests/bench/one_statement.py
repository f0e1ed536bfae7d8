"""The limit of ``invoice``: the database makes the rows itself, with one INSERT … SELECT each.

They go into the product's own tables with all their keys and checks: a document, a line for the
plan and one for volume, a transaction and its three postings, of whole prices, with taxes. Nothing
else that billing does is charged to it: no discounts, no parts of periods, no wallets, no debts, no
grants, no sites. On PostgreSQL all of it is one statement; SQLite takes one for each table.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench.town import DUE_AT, FIRST

if TYPE_CHECKING:
    from tests.bench.stores import Plain, Store


def invoices_a_second(store: Store, count: int) -> float:
    """Bill everybody."""
    with store.plain() as db:
        began = time.perf_counter()
        if store.name == "postgresql":
            tables = ", ".join(f"{name} AS ({body})" for name, body in _inserts(db).items())
            db.do(f"WITH parts AS ({_PARTS}), {tables} SELECT 1")
        else:
            db.do(f"CREATE TEMPORARY TABLE parts AS {_PARTS}")
            for body in _inserts(db).values():
                db.do(body)
        db.commit()
        took_s = time.perf_counter() - began
        made = db.ask("SELECT count(*) FROM document")[0][0]
    assert made == count, f"the limit made {made} invoices"
    return count / took_s


_TAXED = """
    SELECT n, id, doc, subscriber_id, plan_id, name, line, total,
        (total * 1600 * 2 + 11600) / 23200 AS vat,
        ((total - (total * 1600 * 2 + 11600) / 23200) * 1500 * 2 + 11500) / 23000 AS excise
    FROM (
        SELECT s.id, s.subscriber_id, s.plan_id, p.name, row_number() OVER (ORDER BY s.id) AS n,
            'doc' || substr(s.id, 4) AS doc, 1 AS line, p.price_minor AS total
        FROM subscription s JOIN plan p ON p.id = s.plan_id WHERE s.bill_at IS NOT NULL
        UNION ALL
        SELECT s.id, s.subscriber_id, s.plan_id, p.name, 0 AS n,
            'doc' || substr(s.id, 4), 2, (g.used_bytes + 999999999) / 1000000000 * 1000
        FROM subscription s JOIN plan p ON p.id = s.plan_id JOIN "grant" g ON g.id = s.grant_id
        WHERE s.bill_at IS NOT NULL
    ) priced"""
_PARTS = f"SELECT t.*, total - vat - excise AS net FROM ({_TAXED}) t"  # noqa: S608


def _inserts(db: Plain) -> dict[str, str]:
    now, start = (f"'{db.moment(at)}'" for at in (DUE_AT, FIRST))
    return {
        "documents": f"""
            INSERT INTO document (id, kind, series, number, subscriber_id, branch_id, cause,
                issued_at, due_at, period_start, period_end, currency, net_minor, excise_minor,
                vat_minor, total_minor, frozen)
            SELECT doc, 'invoice', 'INV-main', max(n), subscriber_id, 'main', 'period:2027-09',
                {now}, {now}, {start}, {now}, 'KES', sum(net), sum(excise), sum(vat), sum(total),
                '{{}}'
            FROM parts GROUP BY doc, subscriber_id""",  # noqa: S608
        "lines": """
            INSERT INTO document_line (document_id, n, kind, text, account, subscription_id,
                plan_id, tax_class, excise_bp, vat_bp, net_minor, excise_minor, vat_minor,
                total_minor)
            SELECT doc, line, CASE line WHEN 1 THEN 'plan' ELSE 'usage' END, name,
                'income:main:plan:' || plan_id, id, plan_id, 'internet', 1500, 1600, net, excise,
                vat, total
            FROM parts""",
        "transactions": f"""
            INSERT INTO ledger_transaction (id, at, cause)
            SELECT 'document:' || doc, {now}, 'invoice ' || n FROM parts WHERE line = 1""",  # noqa: S608
        "postings": """
            INSERT INTO posting (transaction_id, n, source, target, amount_minor, currency)
            SELECT 'document:' || doc, k, CASE k WHEN 0 THEN 'income:main:plan:' || plan_id
                WHEN 1 THEN 'liability:tax:excise' ELSE 'liability:tax:vat' END,
                'asset:receivable:' || subscriber_id,
                CASE k WHEN 0 THEN sum(net) WHEN 1 THEN sum(excise) ELSE sum(vat) END, 'KES'
            FROM parts CROSS JOIN (SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2) ks
            GROUP BY doc, plan_id, subscriber_id, k""",
    }
