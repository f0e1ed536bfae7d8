"""Statements: files in which a provider or a bank tells what it did with our money.

`read_statement` tells the formats apart by what is in a file, never by its name:

- ``statement.py``  PURE  `Statement`, `StatementLine`, `StatementUnreadable`
- ``reading.py``    PURE  `read_statement`: which format it is, its size, its characters
- ``mt940.py``      PURE  SWIFT MT940, one or more messages in a file
- ``camt.py``       PURE  ISO 20022 camt.053, versions 001.02 and 001.08
- ``portal.py``     PURE  the CSV of M-PESA's organisation portal
- ``columns.py``    PURE  any bank's CSV, by a saved column profile
- ``profile.py``    PURE  column profiles: how they are written down and read
- ``sheet.py``      PURE  CSV text as a header and rows, among preambles and totals
- ``amounts.py``    PURE  amounts and days as banks write them
- ``narration.py``  PURE  receipts, references and payers in free text
- ``assembly.py``   PURE  entries become lines: what they did, their fingerprints, their balances

Two sentences hold. What a file says is believed as a whole or not at all: where opening balance and
lines do not make the closing balance, it is refused. A refusal names the line and the field, and
shows nobody's name or number.
"""

from controller.payments.statements.profile import Profile, read_profile
from controller.payments.statements.reading import read_statement
from controller.payments.statements.statement import (
    Statement,
    StatementLine,
    StatementUnreadable,
)

__all__ = [
    "Profile",
    "Statement",
    "StatementLine",
    "StatementUnreadable",
    "read_profile",
    "read_statement",
]
