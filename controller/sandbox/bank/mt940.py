"""SWIFT MT940 as a bank writes it: a message a day, narratives cut at 65 characters. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.sandbox.bank.movements import What, narrative, shillings

if TYPE_CHECKING:
    from datetime import date

    from controller.sandbox.bank.movements import Account, Booked

WIDTH = 65
_MARKS = {
    What.PAID: ("C", "NTRF"),
    What.FEE: ("D", "NCHG"),
    What.TAKEN_BACK: ("RC", "NTRF"),
    What.WITHDRAWN: ("D", "NTRF"),
}


def write_mt940(account: Account) -> bytes:
    """The whole file."""
    days = enumerate(account.days(), start=1)
    text = "".join(_message(account.number, n, day, booked) for n, (day, booked) in days)
    return (text * (2 if account.faults.doubled else 1)).encode("ascii", "replace")


def _message(number: str, n: int, day: date, booked: list[Booked]) -> str:
    before = booked[0].held - booked[0].movement.change
    lines = [
        "{1:F01LABBKENXXXXX0000000000}{2:I940LABBKENXXXXXN}{4:",
        f":20:ST{day:%y%m%d}",
        f":25:LABBKENX/{number}",
        f":28C:{n:05d}/001",
        f":60F:{_balance(day, before)}",
    ]
    for one in booked:
        lines += _booking(one)
    held = booked[-1].held
    lines += [f":62F:{_balance(day, held)}", f":64:{_balance(day, held)}", "-}"]
    return "".join(f"{line}\r\n" for line in lines)


def _booking(one: Booked) -> list[str]:
    moved = one.movement
    mark, kind = _MARKS[moved.what]
    amount = shillings(moved.cents, point=",")
    text = narrative(moved)
    cut = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return [
        f":61:{moved.day:%y%m%d}{moved.day:%m%d}{mark}S{amount}{kind}NONREF//{moved.receipt}",
        f":86:{cut[0]}",
        *cut[1:],
    ]


def _balance(day: date, held: int) -> str:
    return f"{'D' if held < 0 else 'C'}{day:%y%m%d}KES{shillings(abs(held), point=',')}"
