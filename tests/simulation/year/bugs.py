"""Bugs that a year or a named test must find: each is one place of the product, made wrong."""

from __future__ import annotations

from tests.simulation.bugs import Bug

YEAR = ("tests/simulation/test_year.py::test_every_night_the_books_are_right[2-40-75]",)
PROMOTIONS = ("tests/controller/usecases/test_promotions.py",)
DUNNING = ("tests/billing/test_dunning.py",)

BUGS = (
    Bug(
        "each part of a period is rounded by itself",
        "billing/proration.py",
        "return _due_until(price, whole, part.end) - _due_until(price, whole, part.start)",
        "return _due_until(price, whole, whole.start + (part.end - part.start))",
        tests=YEAR,
    ),
    Bug(
        "the day on which service stops is not billed",
        "billing/charge.py",
        "return begun if begun == at else begun + timedelta(days=1)",
        "return begun",
        tests=YEAR,
    ),
    Bug(
        "a day is left out between two periods",
        "billing/run.py",
        "        billed_until=part.end,\n        bespoke=None",
        "        billed_until=part.end + timedelta(days=1),\n        bespoke=None",
        tests=YEAR,
    ),
    Bug(
        "days of a pause are billed when it ends",
        "billing/charge.py",
        "begins = max(billed_until, floored(contract.cycle, now))",
        "begins = billed_until",
        tests=YEAR,
    ),
    Bug(
        "in arrears tax is by the rate of the first day",
        "billing/charge.py",
        "return _last_day(part) if contract.mode is Mode.ARREARS else day_of(part.start)",
        "return day_of(part.start)",
        tests=YEAR,
    ),
    Bug(
        "a number is taken and not used",
        "controller/store/billing_bulk.py",
        'set_={"next_number": NumberSeriesRow.next_number + count}',
        'set_={"next_number": NumberSeriesRow.next_number + count + 1}',
        tests=YEAR,
    ),
    Bug(
        "a credit note does not lower the debt",
        "controller/usecases/documents.py",
        "        settle(debt, lowered, note.issued_at)\n",
        "",
        tests=YEAR,
    ),
    Bug(
        "the newest debt is paid first",
        "controller/store/debts.py",
        ".order_by(DebtRow.due_at, DocumentRow.issued_at, DocumentRow.number)",
        ".order_by(DebtRow.due_at.desc(), DocumentRow.issued_at, DocumentRow.number)",
        tests=YEAR,
    ),
    Bug(
        "volume that was charged is charged again",
        "controller/usecases/billing_batch.py",
        "    await bulk.charged(tx, [use for turn in turns for use in turn.charged])\n",
        "",
        tests=YEAR,
    ),
    Bug(
        "a receipt that was told twice is credited twice",
        "controller/usecases/money_in.py",
        "        if is_new or (may_place and _is_theirs(arrival, row)):\n",
        "        row.receipt += '' if is_new else row.id[:4]\n        if row.receipt:\n",
        tests=YEAR,
    ),
    Bug(
        "who has lapsed is served on",
        "controller/usecases/billing_batch.py",
        "suspended=[loaded.rows[name].grant_id for name in lapsed],",
        "suspended=[],",
        tests=YEAR,
    ),
    Bug(
        "more is taken from a wallet than it holds",
        "controller/usecases/wallets.py",
        "if taken > 0 and left < 0:",
        "if taken > 0 and left < -taken:",
        tests=YEAR,
    ),
    Bug(
        "a discount lowers every invoice for ever",
        "controller/store/billing_bulk.py",
        ".values(periods_left=case((left < 0, 0), else_=left))",
        ".values(periods_left=PromotionUseRow.periods_left)",
        tests=YEAR,
    ),
    Bug(
        "rewards stay when the money that earned them goes back",
        "controller/usecases/money_in.py",
        "lost = await rewards.take_back_in(tx, row.id, now)",
        "lost = set[str]()",
        tests=PROMOTIONS,
    ),
    Bug(
        "a promise is forgotten",
        "billing/dunning.py",
        "return debt.promised_until is not None and now < debt.promised_until",
        "return False",
        tests=DUNNING,
    ),
    Bug(
        "somebody is suspended for a cent",
        "billing/dunning.py",
        "LEAST_OVERDUE = 100",
        "LEAST_OVERDUE = 1",
        tests=DUNNING,
    ),
)
