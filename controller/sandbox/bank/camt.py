"""camt.053 as a bank writes it, in its two versions: a statement a day. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from controller.sandbox.bank.movements import HERE, What, narrative, shillings

if TYPE_CHECKING:
    from datetime import date

    from controller.sandbox.bank.movements import Account, Booked

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.{}"
VERSIONS = ("02", "08")


def write_camt(account: Account, version: str) -> bytes:
    """The whole file, of version ``02`` or ``08``."""
    statements = "".join(
        _statement(account.number, n, day, booked, version)
        for n, (day, booked) in enumerate(account.days(), start=1)
    ) * (2 if account.faults.doubled else 1)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE.format(version)}"><BkToCstmrStmt>\n'
        "<GrpHdr><MsgId>LAB1</MsgId><CreDtTm>2026-01-01T00:00:00+03:00</CreDtTm></GrpHdr>\n"
        f"{statements}</BkToCstmrStmt></Document>\n"
    ).encode()


def _statement(number: str, n: int, day: date, booked: list[Booked], version: str) -> str:
    before = booked[0].held - booked[0].movement.change
    return (
        f"<Stmt><Id>LAB-{n}</Id><ElctrncSeqNb>{n}</ElctrncSeqNb>\n"
        f"<Acct><Id><Othr><Id>{number}</Id></Othr></Id><Ccy>KES</Ccy></Acct>\n"
        f"{_balance('OPBD', day, before)}{_balance('CLBD', day, booked[-1].held)}"
        + "".join(_entry(one, version) for one in booked)
        + "</Stmt>\n"
    )


def _amount(cents: int) -> str:
    mark = "CRDT" if cents >= 0 else "DBIT"
    return f'<Amt Ccy="KES">{shillings(abs(cents))}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'


def _balance(kind: str, day: date, held: int) -> str:
    tag = f"<Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{tag}{_amount(held)}<Dt><Dt>{day:%Y-%m-%d}</Dt></Dt></Bal>\n"


def _entry(one: Booked, version: str) -> str:
    moved = one.movement
    new = version == "08"
    state = "<Sts><Cd>BOOK</Cd></Sts>" if new else "<Sts>BOOK</Sts>"
    name = f"<Nm>{escape(moved.name)}</Nm>"
    party = f"<Dbtr>{f'<Pty>{name}</Pty>' if new else name}</Dbtr>" if moved.name else ""
    back = "<RvslInd>true</RvslInd>" if moved.what is What.TAKEN_BACK else ""
    family = "CHRG" if moved.what is What.FEE else "OTHR"
    at = moved.at.astimezone(HERE)
    when = f"<DtTm>{at.isoformat()}</DtTm>" if new else f"<Dt>{at:%Y-%m-%d}</Dt>"
    return (
        f"<Ntry>{_amount(moved.change)}{back}{state}"
        f"<BookgDt>{when}</BookgDt><ValDt><Dt>{at:%Y-%m-%d}</Dt></ValDt>"
        f"<AcctSvcrRef>{moved.receipt}</AcctSvcrRef>"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        f"<SubFmlyCd>{family}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        "<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
        f"<RltdPties>{party}</RltdPties>"
        f"<RmtInf><Ustrd>{escape(narrative(moved))}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )
