"""Slips of vouchers: every code once, as the portal takes it, and only codes of the batch."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.voucher import parse_code, shown
from controller.documents import qr
from controller.documents.sheet import SLIPS, link_of
from controller.usecases.voucher_sales import BatchUnknown
from controller.usecases.voucher_sheets import detail_of, voucher_sheet
from controller.usecases.vouchers import create_vouchers
from portal.captive import codes as portal_codes
from tests.support.builders import limits
from tests.support.office import a_plan

if TYPE_CHECKING:
    from billing.voucher import VoucherCode
    from tests.support.office import Office


async def a_batch(office: Office, count: int = 3) -> tuple[str, tuple[VoucherCode, ...]]:
    await office.keep(a_plan())
    return await create_vouchers(office.deps, PlanId("hours-2"), count, None, offline=False)


async def test_every_code_is_on_the_sheet(office: Office) -> None:
    batch, codes = await a_batch(office, SLIPS + 1)
    pdf = await voucher_sheet(office.deps, batch, codes)
    said = b"".join(
        zlib.decompress(s) for s in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    )

    assert pdf.count(b"/Type /Page\n") == 2
    for code in codes:
        assert said.count(f"({shown(code)})".encode()) == 1
    for text in (b"2 hours", b"KES 10", b"Lango Networks Ltd", batch.encode()):
        assert said.count(b"(" + text) == SLIPS + 1


async def test_the_same_codes_give_the_same_bytes(office: Office) -> None:
    batch, codes = await a_batch(office)

    assert await voucher_sheet(office.deps, batch, codes) == await voucher_sheet(
        office.deps, batch, codes
    )


async def test_the_portal_takes_the_link_of_a_slip(office: Office) -> None:
    _, (code, *_) = await a_batch(office)
    link = link_of(code)

    assert link == f"http://wifi.lango/voucher?code={code}"
    assert portal_codes.reading(link.partition("code=")[2]) is portal_codes.Kind.VOUCHER


async def test_only_codes_of_the_batch_are_printed(office: Office) -> None:
    batch, codes = await a_batch(office)
    _, others = await create_vouchers(office.deps, PlanId("hours-2"), 1, None, offline=False)
    with pytest.raises(InvalidField, match="not all of them are of batch"):
        await voucher_sheet(office.deps, batch, [*codes, *others])
    with pytest.raises(InvalidField, match="a character is wrong"):
        await voucher_sheet(office.deps, batch, ["7KQM2XWD9FTB"])
    with pytest.raises(InvalidField, match="there is no branch"):
        await voucher_sheet(office.deps, batch, codes, branch_id="nowhere")
    with pytest.raises(BatchUnknown):
        await voucher_sheet(office.deps, "none", codes)


def test_a_qr_code_is_drawn_in_runs_that_do_not_touch() -> None:
    side, runs = qr.runs("http://wifi.lango/voucher?code=7KQM2XWD9FTR")
    dark = {(row, column) for row, start, length in runs for column in range(start, start + length)}

    assert side == 33 + 2 * qr.QUIET
    assert sum(length for _, _, length in runs) == len(dark)
    assert min(min(at) for at in dark) == qr.QUIET
    assert max(max(at) for at in dark) == side - qr.QUIET - 1
    assert all((qr.QUIET + n, qr.QUIET) in dark for n in range(7)), "the corner's mark"
    assert qr.svg(str(parse_code("7KQM-2XWD-9FTR"))).count("<path") == 2


def test_a_slip_says_what_a_plan_gives() -> None:
    assert detail_of(limits(quota_bytes=5_000_000_000, devices_max=2)) == "4 Mb/s, 5 GB, 2 devices"
    assert detail_of(limits()) == "4 Mb/s, 1 device"
