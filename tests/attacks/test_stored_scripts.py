"""Scripts in what devices, sites, payers and customers are called: stored, and never run.

Everything comes by the road on which it would come; then every page is opened in one browser.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from billing.ids import SiteId
from controller.api.rights import PREFIX
from controller.records import Notice, ProbeResult
from controller.usecases.ingest import ingest
from controller.usecases.probes import ask
from tests.attacks import doors
from tests.attacks.asking import application, asked, asking, bearer, ids_for
from tests.attacks.doors import Deed, filled, kes
from tests.attacks.providers import told_of, with_providers
from tests.support.browser import browsing
from tests.support.builders import a_batch, a_record
from tests.support.builders import opened as session_opened
from tests.support.incoming import came
from tests.support.office import caller, opened
from tests.support.staff import PASSWORD

if TYPE_CHECKING:
    from playwright.async_api import Page, ViewportSize

    from tests.attacks.business import Business

pytestmark = pytest.mark.browser

SMALL: ViewportSize = {"width": 360, "height": 360}
"""Nobody looks: less to paint."""

SHORT = "<img src=x onerror=owned=1>"
SCRIPT = "<script>window.owned=1</script>"
EVIL = f"\"'><svg onload=window.owned=1>{SHORT}{SCRIPT}"
LISTENER = """
window.addEventListener('securitypolicyviolation', e => console.error('CSP', e.blockedURI));
window.alert = window.confirm = window.prompt = () => { window.owned = 1; };
"""
NAMED: tuple[Deed, ...] = (
    doors.Deed(
        "POST", f"{PREFIX}/subscribers/{{subscriber}}", {"name": EVIL[:80], "address": EVIL}
    ),
    doors.Deed(
        "POST", f"{PREFIX}/sites", {"id": "evil", "name": EVIL[:80], "operator_name": EVIL[:80]}
    ),
    doors.Deed("POST", f"{PREFIX}/branches", {"id": "evil", "name": EVIL[:80], "address": EVIL}),
    doors.Deed("POST", f"{PREFIX}/plans", {**doors.PLAN, "name": SHORT, "id": "evil"}),
    doors.Deed(
        "POST", f"{PREFIX}/received", {"subscriber": "{phone}", "amount": kes("5.00"), "note": EVIL}
    ),
    doors.Deed(
        "POST",
        f"{PREFIX}/promotions",
        {"id": "evil", "name": EVIL[:80], "discount": {"basis_points": 5}},
    ),
    doors.Deed("POST", f"{PREFIX}/differences/{{difference_id}}/explain", {"text": EVIL}),
    doors.Deed("POST", f"{PREFIX}/alerts/{{alert_id}}/assign", {"to": SHORT}),
    doors.Deed(
        "POST", f"{PREFIX}/staff", {"login": "0722000119", "name": EVIL[:80], "role": "support"}
    ),
    doors.Deed("POST", "/noc/customers/{phone}/note", {"text": EVIL}),
)


async def stored(business: Business) -> None:
    """Everything that can be called something is called a script."""
    office, app = business.office, application(business)
    site = SiteId(business.ids["site_id"])
    async with asking(app, cookies=business.owner_cookies) as client:
        for deed in NAMED:
            answer = await asked(client, deed, business.ids, headers=bearer(business, deed))
            assert answer.status_code < 400, (deed.path, answer.text)
    async with asking(app) as client:
        evil = {"User-Agent": f"{SCRIPT} Firefox/130.0"}
        told = {"login": business.owner.login, "password": PASSWORD}
        await client.post("/noc/login", data=told, headers=evil)
        code = {"code": business.owner.code(office)}
        assert (await client.post("/noc/second", data=code, headers=evil)).status_code == 303
    await app.state.hub.close()
    for door, words in told_of(with_providers(office), EVIL[:60]):
        async with caller(door.office, None) as client:
            answer = await client.post(door.path, content=words, headers=dict(door.headers(words)))
            assert answer.is_success, (door.name, answer.text)
    await came(office, "SGHEVIL001", 700, reference=EVIL[:60], payer_name=EVIL[:60])
    await came(office, "SGHEVIL002", 700, reference=EVIL[:60], payer=SHORT, payer_name=SHORT)
    probe = await ask(office.deps, site, "arp")
    body = {"lines": [EVIL], "hosts": [{"name": EVIL, "mac": EVIL, "address": EVIL}]}
    records = (
        a_record(1, Notice("drift", EVIL)),
        a_record(2, ProbeResult(probe, json.dumps(body))),
        a_record(3, session_opened("evil", grant_id=business.ids["grant"], address=SHORT)),
    )
    await ingest(office.deps, site, a_batch(*records))


def addresses(business: Business) -> list[str]:
    """Every page of the dashboard, and the pages that customers see."""
    pages = [
        filled(path, ids_for(path, {**business.ids, "batch": "none", "key": "none"}))
        for method, path in sorted(doors.routes())
        if method == "GET" and path.startswith("/noc")
        if not path.startswith(("/noc/events", "/noc/static", "/noc/login", "/noc/second"))
        if not path.endswith(("/file", ".pdf", ".csv"))
    ]
    more = (
        "/noc/sites/evil",
        "/noc/plans/evil",
        "/noc/customers?q=img",
        "/noc/search?q=SGHEVIL",
        "/noc/payments/SGHEVIL001",
        "/noc/payments/UGEF0RGED2",
        "/noc/payments/UGE5L8M35",
        f"/noc/brand?name={SHORT}&pay_to={SHORT}&support_phone={SHORT}",
        f"/noc/brand/portal?name={SHORT}&colour=%230a7d5a",
        f"/noc/brand/paper?name={SHORT}&colour=%230a7d5a&pay_to={SHORT}",
        f"/noc/promotions?kind=coupon&name={SHORT}&code={SHORT}",
        f"/noc/maintenance?text_en={SHORT}&text_sw={SHORT}&area={SHORT}",
        f"/noc/sites/new?name={SHORT}&place={SHORT}&back=javascript:owned=1",
        "/noc/sites/evil/joining?back=javascript:owned=1",
        f"/noc/search?q={SCRIPT}",
        "/buy/evil",
        "/buy/site-thika",
    )
    return [*pages, *more]


async def looked_at(page: Page, url: str, path: str, console: list[str]) -> str:
    """What is wrong with a page; "" for nothing."""
    console.clear()
    await page.goto(f"{url}{path}")
    owned: Any = await page.evaluate("window.owned ?? null")
    images = await page.locator("img[onerror], svg[onload]").count()
    policy = [line for line in console if "CSP" in line or "Content Security" in line]
    return f"{owned} {images} {policy}" if owned is not None or images or policy else ""


async def test_no_page_runs_what_somebody_is_called(business: Business) -> None:
    await stored(business)
    guilty, console, shown = {}, [], 0
    async with opened(business.office) as url, browsing() as browser:
        context = await browser.new_context(viewport=SMALL)
        await context.add_init_script(LISTENER)
        cookies = [{"name": n, "value": v, "url": url} for n, v in business.owner_cookies.items()]
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("console", lambda line: console.append(line.text))
        page.on("dialog", lambda _: console.append("CSP: a dialog"))
        for path in addresses(business):
            if fault := await looked_at(page, url, path, console):
                guilty[path] = fault
            shown += "onerror" in await page.inner_text("body")
        await context.close()

    assert guilty == {}
    assert shown > 10, "they are shown, as text"
