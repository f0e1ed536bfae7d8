"""``python -m controller.sandbox.bank FOLDER``: a few invented days, in every format."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path

from controller.sandbox.bank.camt import VERSIONS, write_camt
from controller.sandbox.bank.movements import HERE, Account, Movement, What
from controller.sandbox.bank.mt940 import write_mt940
from controller.sandbox.bank.tables import (
    LEDGER_PROFILE,
    TELLER_PROFILE,
    write_ledger,
    write_portal,
    write_teller,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=HERE)
DAY = timedelta(days=1)
MOVEMENTS = (
    Movement(NOON, What.PAID, 150_000, "UKN1LANGO1", "0712345678", "254712345678", "ANNE WANJIKU"),
    Movement(NOON, What.FEE, 825, "UKN1LANGO1"),
    Movement(NOON + DAY, What.PAID, 50_000, "UKN2LANGO2", "O722OOO999", "254722000999", "BEN"),
    Movement(NOON + 2 * DAY, What.WITHDRAWN, 100_000, "UKN3LANGO3"),
)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m controller.sandbox.bank", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    account = Account("01100000000001", 1_000_000, MOVEMENTS)
    files = {
        "bank.mt940": write_mt940(account),
        "portal.csv": write_portal(Account("600111", 1_000_000, MOVEMENTS)),
        "ledger.csv": write_ledger(account),
        "ledger.profile.json": LEDGER_PROFILE.encode(),
        "teller.csv": write_teller(account),
        "teller.profile.json": TELLER_PROFILE.encode(),
    }
    files |= {f"bank.camt{version}.xml": write_camt(account, version) for version in VERSIONS}
    for name, written in files.items():
        (folder / name).write_bytes(written)


if __name__ == "__main__":
    main()
