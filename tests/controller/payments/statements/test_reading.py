"""Statement files from outside: what is read, what is refused, and where the refusal points."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.money import Money
from billing.reconciling import Way
from controller.payments.statements import (
    Statement,
    StatementLine,
    StatementUnreadable,
    read_profile,
    read_statement,
)
from controller.payments.statements.amounts import amount_in
from controller.payments.statements.narration import told_in
from controller.payments.statements.profile import Profile, profile_text
from controller.payments.statements.statement import BYTES_MAX

MT940 = """:20:ST261123
:25:KCBLKENX/1100223344
:28C:00001/001
:60F:C261122KES1000,00
:61:2611231123C1500,00NMSCNONREF//FT26327AAAA
:86:PAYBILL UGE5L8M3RZ ACC NO: INV-MAIN-000007 254700000001 ANNE
:61:261123D45,NCHGNONREF
:86:LEDGER FEE NOVEMBER
:61:261123RC1500,00NTRFNONREF//FT26327BBBB
:86:RETURNED UGE5L8M3RZ
:61:261123D100,00NTRFCHQ 000123
:62F:C261123KES855,00
"""

PORTAL = """Organization Name,Lab Internet,,,
Short Code,600111,,,
Time Period,From 23-11-2026 to 23-11-2026,,,
Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance,\
Other Party Info,A/C No.
UGE6A1B2C3,23-11-2026 11:00:00,Pay Bill from 2547 ***** 126,Completed,50.00,,1541.75,\
2547 ***** 126 - WANJIKU,isp 10023
UGE5L8M3RZ,23-11-2026 10:15:02,Pay Bill Charge,Completed,,-8.25,1491.75,,
UGE5L8M3RZ,23-11-2026 10:15:02,Pay Bill,Completed,"1,500.00",,1500.00,\
254700000001 - ANNE - B,0712345678
UGE4XXXXX1,23-11-2026 10:00:00,Pay Bill,Declined,9.00,,0.00,254700000001 - ANNE,1
"""

LEDGER = read_profile(
    '{"columns": {"when": ["Date"], "text": ["Narrative"], "paid_in": ["Credit", "Money In"],'
    ' "paid_out": ["Debit"], "balance": ["Balance"]}, "dates": ["%d/%m/%Y", "%d-%b-%Y"]}'
)
SIGNED = read_profile(
    '{"columns": {"when": ["DATE"], "text": ["DETAILS"], "receipt": ["REF"],'
    ' "amount": ["AMOUNT"], "mark": ["DR/CR"]}, "dates": ["%Y-%m-%d"], "delimiter": "\\t"}'
)


def read(text: str, profile: Profile | None = None) -> Statement:
    return read_statement(text.encode(), name="nov.csv", profile=profile)


def refusal(text: str, profile: Profile | None = None) -> StatementUnreadable:
    with pytest.raises(StatementUnreadable) as refused:
        read(text, profile)
    return refused.value


def short(line: StatementLine) -> tuple[str, int, str]:
    return str(line.kind), line.amount.minor, line.receipt


def test_an_mt940_tells_payments_charges_and_what_went_back() -> None:
    found = read(MT940)
    first = found.lines[0]

    assert (found.rail, found.place) == ("bank", "1100223344")
    assert (found.opening, found.closing) == (Money(100_000), Money(85_500))
    assert [short(line) for line in found.lines] == [
        ("in", 150_000, "UGE5L8M3RZ"),
        ("charge", 4_500, found.lines[1].receipt),
        ("reversal", 150_000, "UGE5L8M3RZ"),
        ("out", 10_000, "CHQ000123"),
    ]
    assert (first.reference, first.payer) == ("INV-MAIN-000007", "254700000001")
    assert first.at == datetime(2026, 11, 22, 21, tzinfo=UTC)
    assert found.lines[1].receipt.startswith("NO-RECEIPT-")


def test_an_mt940_in_swift_envelopes_reads_the_same() -> None:
    wrapped = "{1:F01X}{2:I940}{4:\r\n" + MT940.replace("\n", "\r\n") + "-}\r\n"

    assert read(wrapped).lines == read(MT940).lines


@pytest.mark.parametrize(
    ("was", "becomes", "field", "line"),
    [
        ("KES855,00", "KES855,01", "62F", 1),
        (":62F:C261123KES855,00\n", "", "62F", 1),
        (":60F:C261122KES1000,00\n", "", "60F", 4),
        ("C1500,00NMSC", "X1500,00NMSC", "61", 5),
        (":61:2611231123", ":61:2613451123", "61", 5),
        ("C261122KES", "C261122KESX", "60F", 4),
        ("C261122KES", "C261122XYZ", "60F", 4),
        (":20:ST261123\n", ":21:ST261123\n:86::20:\n", "20", 1),
    ],
)
def test_a_broken_mt940_is_refused_by_line_and_field(
    was: str, becomes: str, field: str, line: int
) -> None:
    refused = refusal(MT940.replace(was, becomes))

    assert (refused.field, refused.line) == (field, line)


def test_two_days_in_one_mt940_have_to_join() -> None:
    other = MT940.replace("KES1000,00", "KES900,00").replace("KES855,00", "KES755,00")

    assert refusal(MT940 + other.replace("62F:C261123", "62F:C261124")).field == "60F"
    assert refusal(MT940 + other.replace("1100223344", "1100223355")).field == "25"


def test_the_portal_tells_charges_apart_and_leaves_out_what_did_not_happen() -> None:
    found = read(PORTAL)

    assert (found.rail, found.place) == ("mpesa", "600111")
    assert (found.since, found.until) == (date(2026, 11, 23), date(2026, 11, 23))
    assert (found.opening, found.closing) == (Money(0), Money(154_175))
    assert [short(line) for line in found.lines] == [
        ("in", 150_000, "UGE5L8M3RZ"),
        ("charge", 825, "UGE5L8M3RZ"),
        ("in", 5_000, "UGE6A1B2C3"),
    ]
    paid = found.lines[0]
    assert (paid.reference, paid.payer, paid.name) == ("0712345678", "254700000001", "ANNE - B")
    assert found.lines[2].payer == "2547 ***** 126"
    assert paid.at == datetime(2026, 11, 23, 7, 15, 2, tzinfo=UTC)


def test_a_charge_that_was_given_back_is_a_charge_below_zero() -> None:
    back = "UGE5L8M3RZ,23-11-2026 12:00:00,Pay Bill Charge Reversal,Completed,8.25,,1550.00,,\n"
    text = PORTAL.replace("UGE6A1B2C3", f"{back}UGE6A1B2C3", 1)

    assert short(read(text).lines[-1]) == ("charge", -825, "UGE5L8M3RZ")


def test_an_export_without_balances_is_read_without_their_check() -> None:
    plain = PORTAL.replace('"1,500.00"', "1500.00")
    cut = "\n".join(",".join(row.split(",")[:6]) for row in plain.splitlines()[3:])
    found = read(cut)

    assert (found.opening, found.closing) == (None, None)
    assert [line.kind for line in found.lines] == [Way.IN, Way.CHARGE, Way.IN]
    # They are the same bookings as in an export with balances, and no others when doubled.
    names = [line.fingerprint for line in read(PORTAL).lines]
    assert [line.fingerprint for line in found.lines] == names
    assert [line.fingerprint for line in read(f"{cut}\n{cut}").lines] == names


def test_two_bookings_without_a_receipt_may_look_the_same() -> None:
    row = "23/11/2026,CASH DEPOSIT,,5.00,\n"
    found = read(f"Date,Narrative,Debit,Credit,Balance\n{row}{row}", LEDGER)

    assert len({line.fingerprint for line in found.lines}) == 2
    assert len({line.receipt for line in found.lines}) == 2


@pytest.mark.parametrize(
    ("was", "becomes", "field", "line"),
    [
        ("1491.75", "1491.85", "balance", 6),
        ("23-11-2026 11:00:00", "2026/23/11", "Completion Time", 5),
        (",50.00,", ",5O.00,", "Paid In", 5),
        ("UGE6A1B2C3,", ",", "Receipt No.", 5),
        ("1541.75", "a lot", "Balance", 5),
    ],
)
def test_a_broken_portal_file_is_refused_by_line_and_field(
    was: str, becomes: str, field: str, line: int
) -> None:
    refused = refusal(PORTAL.replace(was, becomes))

    assert (refused.field, refused.line) == (field, line)


def test_a_banks_csv_is_read_by_its_profile() -> None:
    text = (
        "LAB BANK\nAccount No,01100223344\n\nDate,Narrative,Debit,Money In,Balance\n"
        '23/11/2026,UGE5L8M3RZ~ISP10023~254700000001~A B~23112026 101502,,"1,500.00","2,500.00"\n'
        '24-Nov-2026,Excise duty on charges,12.50,,"2,487.50"\n'
        'Totals,,12.50,"1,500.00",\n'
    )
    found = read(text, LEDGER)

    assert (found.place, found.opening, found.closing) == (
        "01100223344",
        Money(100_000),
        Money(248_750),
    )
    assert [short(line)[:2] for line in found.lines] == [("in", 150_000), ("charge", 1_250)]
    assert (found.lines[0].reference, found.lines[0].name) == ("ISP10023", "A B")


def test_a_mark_beside_the_amount_says_which_way_it_went() -> None:
    rows = ("DATE\tDETAILS\tREF\tAMOUNT\tDR/CR", "2026-11-23\tpaid\tR1\t10.00\tCR")
    text = "\n".join((*rows, "2026-11-23\tto cash\tR2\t4.00\tDR", '2026-11-23\tx\t="007"\t1\tCR'))

    assert [short(line) for line in read(text, SIGNED).lines] == [
        ("in", 1_000, "R1"),
        ("out", 400, "R2"),
        ("in", 100, "007"),
    ]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("31/02/2026,x,,5.00,1005.00", "when"),
        ("23/11/2026,x,,5.0.0,1005.00", "paid_in"),
        ("23/11/2026,x,,5.00,much", "balance"),
    ],
)
def test_a_row_that_may_be_money_is_never_passed_over(row: str, field: str) -> None:
    refused = refusal(f"Date,Narrative,Debit,Credit,Balance\n{row}\n", LEDGER)

    assert (refused.field, refused.line) == (field, 2)


CAMT = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
<Acct><Id><IBAN>KE001100223344</IBAN></Id></Acct>
<Bal><Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp><Amt Ccy="KES">10</Amt>
<CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="KES">20.00000</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><DtTm>2026-11-23T23:59:00+03:00</DtTm></Dt></Bal>
<Ntry><Amt Ccy="KES">30</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-23</Dt></BookgDt><AcctSvcrRef>BATCH1</AcctSvcrRef><NtryDtls>
<TxDtls><Refs><EndToEndId>UGE5L8M3RZ</EndToEndId></Refs><Amt Ccy="KES">10</Amt>
<RltdPties><Dbtr><Pty><Nm>ANNE</Nm></Pty></Dbtr></RltdPties>
<RmtInf><Ustrd>0712345678</Ustrd></RmtInf></TxDtls>
<TxDtls><Refs><EndToEndId>INV-main-000007</EndToEndId><AcctSvcrRef>S2</AcctSvcrRef></Refs>
<AmtDtls><TxAmt><Amt Ccy="KES">20</Amt></TxAmt></AmtDtls></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="KES">99</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts>
<BookgDt><Dt>2026-11-24</Dt></BookgDt></Ntry>
</Stmt></BkToCstmrStmt></Document>"""


def test_a_batch_in_camt_is_the_payments_in_it_and_pending_money_is_none() -> None:
    found = read(CAMT)

    assert (found.place, found.opening, found.closing) == (
        "KE001100223344",
        Money(-1_000),
        Money(2_000),
    )
    assert [(*short(line), line.reference, line.name) for line in found.lines] == [
        ("in", 1_000, "UGE5L8M3RZ", "0712345678", "ANNE"),
        ("in", 2_000, "S2", "INV-main-000007", ""),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "field"),
    [
        ("20.00000", "21.00", "Bal"),
        ("CLBD", "ITBD", "Bal"),
        ("<Cd>BOOK</Cd></Sts>", "<Cd>BOOK</Cd></Sts><", "XML"),
        ('<Amt Ccy="KES">30', '<Amt Ccy="KES">3O', "Amt"),
        ('<Amt Ccy="KES">30', '<Amt Ccy="XYZ">30', "Amt"),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>", "CdtDbtInd"),
        ("2026-11-23</Dt></BookgDt>", "23/11/2026</Dt></BookgDt>", "BookgDt"),
        ("<Document", '<!DOCTYPE d [<!ENTITY a "b">]><Document', "DOCTYPE"),
    ],
)
def test_a_broken_camt_is_refused_by_its_field(was: str, becomes: str, field: str) -> None:
    assert refusal(CAMT.replace(was, becomes, 1)).field == field


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "needs a profile"),
        (b"PK\x03\x04", "save it as CSV"),
        (b"a\0b", "is no text"),
        (b"x" * (BYTES_MAX + 1), "10,000,000 bytes"),
        (b"Date,Amount\n", "nov.csv is no MT940"),
    ],
)
def test_what_is_no_statement_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(StatementUnreadable, match=says) as refused:
        read_statement(data, name="nov.csv")

    assert refused.value.field == "file"


def test_an_empty_table_is_refused() -> None:
    assert refusal("Date,Narrative,Debit,Credit,Balance\n", LEDGER).field == "lines"
    assert refusal("Day;Sum\n1;2\n", LEDGER).field == "header"


def test_the_encodings_of_spreadsheets_are_read() -> None:
    text = PORTAL.replace("WANJIKU", "WÁNJIKU")
    names = {
        read_statement(text.encode(code)).lines[-1].name
        for code in ("utf-8-sig", "cp1252", "utf-16")
    }

    assert names == {"WÁNJIKU"}


def test_a_refusal_and_a_repr_show_nobodys_name_or_number() -> None:
    found = repr(read(PORTAL))

    assert not any(secret in found for secret in ("254700000001", "ANNE", "WANJIKU", "0712345678"))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([MT940, PORTAL, CAMT]), st.data())
def test_any_file_is_read_or_refused_and_nothing_else(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    end = min(len(text), at + data.draw(st.integers(0, 40)))
    broken = text[:at] + data.draw(st.text(max_size=6)) + text[end:]
    try:
        found = read_statement(broken.encode("utf-8", "surrogatepass"), profile=LEDGER)
    except StatementUnreadable:
        return

    assert all(line.receipt and line.amount.minor for line in found.lines)


@pytest.mark.parametrize(
    ("text", "comma", "minor"),
    [
        ("1,500.00", False, 150_000),
        ("1.500,00", True, 150_000),
        ("-5", False, -500),
        ("5.00-", False, -500),
        ("(5.00)", False, -500),
        ("KES 5.00 DR", False, -500),
        ("Ksh. 5.00 Cr", False, 500),
        ("", False, None),
        ("-", False, None),
    ],
)
def test_amounts_are_read_as_banks_write_them(text: str, comma: bool, minor: int | None) -> None:  # noqa: FBT001 - a table's column
    found = amount_in(text, field="x", line=1, comma=comma)

    assert (None if found is None else found.minor) == minor


# A narration, and what it tells: receipt, reference, payer.
NARRATIONS = """
  UGE5L8M3RZ~ISP10023~254700000001~A B~14072026 101502 | UGE5L8M3RZ | ISP10023 | 254700000001
  254700000001~A B~0712345678~UGE5L8M3RZ               | UGE5L8M3RZ | 0712345678 | 254700000001
  UGE5L8M3RZ~~2547 ***** 126~A B                       | UGE5L8M3RZ | | 2547 ***** 126
  MPESA UGE5L8M3RZ 0712345678 ANNE                     | UGE5L8M3RZ | 0712345678 |
  K7PQ2M9XWT4H by internet banking                     | | K7PQ2M9XWT4H |
  CASH DEPOSIT AC: isp-10023                           | | ISP-10023 |
  CONFIRMING 0123456789 deposit                        | | 0123456789 |
  nothing of use                                       | | |
"""


@pytest.mark.parametrize("row", NARRATIONS.strip().splitlines())
def test_a_narration_tells_its_parts_by_their_shape(row: str) -> None:
    text, receipt, reference, payer = (part.strip() for part in row.split("|"))

    assert told_in(text)[:3] == (receipt, reference, payer)


def test_a_profile_is_written_down_and_read_again() -> None:
    assert read_profile(profile_text(SIGNED)) == SIGNED


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("x", "profile"),
        ('{"columns": []}', "profile.columns"),
        ('{"columns": {"colour": ["x"]}}', "profile.columns.colour"),
        ('{"columns": {"when": []}}', "profile.columns.when"),
        ('{"columns": {"when": ["-"]}}', "profile.columns.when"),
        ('{"columns": {"amount": ["x"]}}', "profile.columns.when"),
        ('{"columns": {"when": ["x"], "paid_in": ["y"]}}', "profile.columns.amount"),
        ('{"columns": {"when": ["x"], "amount": ["y"]}}', "profile.dates"),
        ('{"columns": {"when": ["x"], "amount": ["y"]}, "dates": ["%d/%m"]}', "profile.dates"),
        (
            '{"columns": {"when": ["x"], "amount": ["y"]}, "dates": ["%d"], "delimiter": "x"}',
            "profile.dates",
        ),
        (
            '{"columns": {"when": ["x"], "amount": ["y"]}, "dates": ["%d/%m/%Y"], "comma": 1}',
            "profile.comma",
        ),
        ('{"names": 1}', "profile.names"),
    ],
)
def test_a_profile_that_reads_nothing_is_refused_by_its_field(text: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_profile(text)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("name", "value"), [("delimiter", "x"), ("delimiter", None), ("comma", 1), ("dates", [])]
)
def test_a_profile_with_one_wrong_value_names_it(name: str, value: object) -> None:
    whole = json.loads(profile_text(SIGNED)) | {name: value}
    with pytest.raises(InvalidField) as refused:
        read_profile(json.dumps(whole))

    assert refused.value.field == f"profile.{name}"
