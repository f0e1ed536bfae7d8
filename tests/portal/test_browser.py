"""The portal in a real browser: small screens, both languages, both schemes, script on and off.

Every screen is also photographed into ``build/screens/`` for people to look at.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect, sync_playwright

from billing.payment import OrderStage, Reason
from portal.captive.gate import Refusal
from portal.captive.memory_gate import SENT_CODE
from tests.support.browser import CHROMIUM, QUIET
from tests.support.portal import (
    HOST,
    TWO_WALLETS,
    Site,
    Stage,
    a_face,
    an_access,
    at_once,
    serving,
)
from tests.test_imports import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ME = "127.0.0.1"
OTHER = "127.0.0.7"
RECEIPT = "SGH7K2Q0XD"
SCREENS = ROOT / "build" / "screens"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = ((360, 740), (320, 480), (1366, 768))
PROBE = "http://captive.apple.com/hotspot-detect.html"
STAYS = """
const later = window.setTimeout;
window.setTimeout = (what, ms, ...more) => (ms >= 1000 ? 0 : later(what, ms, ...more));
"""
"""A page that looks again by itself does not, while it is examined; axe needs its short waits."""


class Phone:
    """A browser on a device of the site's LAN."""

    def __init__(self, browser: Browser, stage: Stage) -> None:
        self._browser = browser
        self._stage = stage

    def at(self, site: Site) -> Phone:
        """The phone after it joined ``site``."""
        self._stage.site = site
        return self

    @contextmanager
    def page(self, **context: Any) -> Iterator[Page]:
        """A fresh browser profile with one page; it may ask the portal and nothing else."""
        settings = {"viewport": {"width": 360, "height": 740}, "locale": "en-GB", **context}
        profile = self._browser.new_context(**settings)
        try:
            yield profile.new_page()
        finally:
            profile.close()


@pytest.fixture(scope="module")
def phone() -> Iterator[Phone]:
    stage = Stage()
    with serving(stage) as port, sync_playwright() as playwright:
        ours = f"MAP {HOST} 127.0.0.1:{port}, MAP captive.apple.com 127.0.0.1:{port}"
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*QUIET, f"--host-resolver-rules={ours}, MAP * ~NOTFOUND"],
        )
        yield Phone(browser, stage)
        browser.close()


def sold(site: Site, stage: OrderStage, reason: Reason | None = None, age_s: int = 0) -> str:
    """The page of an order that stands at ``stage``."""
    order_id = site.ordered_at_once(ME)
    site.gate.moved_to(ME, stage, reason)
    site.clock.pass_s(age_s)
    return f"/o/{order_id}"


def online(site: Site, path: str) -> str:
    """``path`` of a device that has half used its package."""
    access = an_access(bytes_left=734_003_200, down_bytes=1_234_567_890, up_bytes=98_765_432)
    site.gate.went_online(ME, access)
    return path


def known(site: Site) -> str:
    """The packages for a device that ordered before."""
    sold(site, OrderStage.REFUSED, Reason.CANCELLED)
    return "/packages"


def unseen(site: Site) -> str:
    """The packages for a device without a neighbour entry."""
    site.gate.strangers.add(ME)
    return "/packages"


def in_use(site: Site, *, quiet_s: int = 0, inside: bool = False, of: int = 2) -> None:
    """A package that is in use on as many devices as it is for; ``inside``: ours is one of them."""
    others = ["127.0.0.8", "127.0.0.9"][: of - inside]
    site.gate.shared(RECEIPT, an_access(devices_max=of), *([ME] if inside else []), *others)
    site.gate.fell_silent(RECEIPT, quiet_s, but=others[:1])


def full(site: Site) -> str:
    """The choice of which device to put out."""
    in_use(site, quiet_s=55)
    at_once(site.gate.redeem(ME, code=RECEIPT))
    return "/devices"


def put_out(site: Site) -> str:
    """The packages of a device that has just been put out, and whose browser kept no badge."""
    in_use(site, inside=True)
    at_once(site.gate.redeem(OTHER, code=RECEIPT))
    at_once(site.gate.move(OTHER, device_ref=site.gate.device(ME).device_ref))
    return "/"


def joined_by(site: Site) -> str:
    """The devices of our package, a television among them."""
    in_use(site, inside=True, quiet_s=300)
    site.gate.went_online(ME, an_access())
    site.gate.shared(RECEIPT, an_access(devices_max=3), ME, "127.0.0.8")
    site.gate.fell_silent(RECEIPT, 300, but=[ME])
    site.gate.nearby(OTHER)
    at_once(site.gate.connect(ME, device_ref=site.gate.device(OTHER).device_ref))
    return "/devices"


def televisions(site: Site, *, of: int = 2) -> str:
    """Devices nearby that have no browser."""
    site.gate.shared(RECEIPT, an_access(devices_max=of), ME)
    for address in ("127.0.0.20", "127.0.0.21"):
        site.gate.nearby(address)
    return "/tv"


def nothing_nearby(site: Site) -> str:
    """No device without a browser is there."""
    in_use(site, inside=True)
    return "/tv"


def stopped(site: Site) -> str:
    """The package was suspended by staff."""
    site.gate.suspended(ME)
    return "/"


def doubled(site: Site) -> str:
    """Another device uses our network address."""
    site.gate.contested(ME)
    return "/help"


def link_cut(site: Site) -> str:
    """The way by phone while the link is down."""
    site.gate.link = False
    return "/phone"


def two_wallets(site: Site) -> str:
    """The packages where two wallets collect."""
    site.gate.site_face = a_face(rails=TWO_WALLETS)
    return "/"


def two_wallets_known(site: Site) -> str:
    """The same for a device whose order by the second was refused."""
    two_wallets(site)
    at_once(site.gate.order(ME, plan_id="hour", phone="0733345678"))
    site.gate.moved_to(ME, OrderStage.REFUSED, Reason.WRONG_PIN)
    return "/packages"


def by_airtel(site: Site) -> str:
    """An order that asks the second wallet."""
    two_wallets(site)
    placed = at_once(site.gate.order(ME, plan_id="hour", phone="0733345678"))
    return f"/o/{placed}"


def refused_by_airtel(site: Site) -> str:
    """The same, and its payer mistyped the PIN."""
    path = by_airtel(site)
    site.gate.moved_to(ME, OrderStage.REFUSED, Reason.WRONG_PIN)
    return path


SCENES: dict[str, Callable[[Site], str]] = {
    "shop": lambda _: "/",
    "shop-known": known,
    "shop-wallets": two_wallets,
    "shop-wallets-known": two_wallets_known,
    "prompted-airtel": by_airtel,
    "refused-airtel": refused_by_airtel,
    "shop-unseen": unseen,
    "shop-ended": lambda _: "/?ended=1",
    "queued": lambda site: sold(site, OrderStage.QUEUED),
    "prompted": lambda site: sold(site, OrderStage.PROMPTED, age_s=17),
    "checking": lambda site: sold(site, OrderStage.CHECKING, age_s=100),
    "paid": lambda site: sold(site, OrderStage.PAID),
    "refused": lambda site: sold(site, OrderStage.REFUSED, Reason.WRONG_PIN),
    "refused-wait": lambda site: sold(site, OrderStage.REFUSED, Reason.LINE_BUSY),
    "refused-smaller": lambda site: sold(site, OrderStage.REFUSED, Reason.NO_BALANCE),
    "refused-help": lambda site: sold(site, OrderStage.REFUSED, Reason.OUR_SIDE),
    "expired": lambda site: sold(site, OrderStage.EXPIRED),
    "ok": lambda site: online(site, "/ok"),
    "status": lambda site: online(site, "/status"),
    "shop-online": lambda site: online(site, "/packages"),
    "voucher": lambda _: "/voucher",
    "phone": lambda _: "/phone",
    "phone-down": link_cut,
    "places-full": full,
    "places-inside": joined_by,
    "shop-put-out": put_out,
    "tv": televisions,
    "tv-full": lambda site: televisions(site, of=1),
    "tv-none": nothing_nearby,
    "suspended": stopped,
    "joined": lambda _: "/joined",
    "help-contested": doubled,
    "help": lambda _: "/help",
}


@pytest.mark.parametrize("scene", SCENES)
def test_no_screen_has_a_fault_that_axe_finds(phone: Phone, scene: str) -> None:
    faults = []
    with phone.page() as page:
        page.add_init_script(STAYS)
        for language, scheme in looks(phone, page, scene):
            found = Axe().run(page)
            faults += [(language, scheme, v["id"]) for v in found.response["violations"]]

    assert faults == []


@pytest.mark.parametrize("scene", SCENES)
def test_every_screen_fits_and_every_target_is_big_enough(phone: Phone, scene: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    wrong: list[object] = []
    with phone.page() as page:
        page.clock.install(time=0)
        page.clock.pause_at(1_000)  # a page that looks again by itself waits for its pictures
        for language, scheme in looks(phone, page, scene):
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                page.screenshot(path=SCREENS / f"{scene}-{width}x{height}-{language}-{scheme}.png")
                wrong += page.evaluate(SMALL_TEXT) + page.evaluate(SMALL_TARGETS)
                wrong += [(language, width)] if page.evaluate(SCROLLED) > width else []

    assert wrong == []


def looks(phone: Phone, page: Page, scene: str) -> Iterator[tuple[str, str]]:
    """Bring ``scene`` up on the page in each language and scheme in turn."""
    for language in ("en", "sw"):
        site = Site()
        path = SCENES[scene](site)
        phone.at(site)
        page.goto(f"http://{HOST}{path}{'&' if '?' in path else '?'}lang={language}")
        assert page.locator("html").get_attribute("lang") == language
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            yield language, scheme


SCROLLED = "document.documentElement.scrollWidth"
SMALL_TEXT = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.childNodes.length && parseFloat(getComputedStyle(e).fontSize) < 16)
  .map(e => e.outerHTML)"""
SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, input:not(.out), .card, .more")]
  .filter(e => e.offsetParent && e.type !== "hidden")
  .filter(e => e.getBoundingClientRect().height < 47.5 || e.getBoundingClientRect().width < 47.5)
  .map(e => e.outerHTML)"""


@pytest.mark.parametrize(("width", "height"), [(360, 480), (320, 480)])
def test_the_smallest_screens_show_four_cards_and_the_way_to_pay(
    phone: Phone, width: int, height: int
) -> None:
    with phone.at(Site()).page(viewport={"width": width, "height": height}) as page:
        page.goto(f"http://{HOST}/")
        pay = page.get_by_role("button").bounding_box()
        before = page.locator(".card:visible").count()
        page.get_by_text("More (2)").click()

        assert pay is not None
        assert pay["y"] + pay["height"] <= height
        assert (before, page.locator(".card:visible").count()) == (4, 6)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_customer_buys_with_two_taps_and_one_number(phone: Phone, script: bool) -> None:  # noqa: FBT001 - a table's cell
    site = Site()
    with phone.at(site).page(java_script_enabled=script) as page:
        page.goto(PROBE)
        page.get_by_text("24 hours").click()
        page.get_by_label("M-PESA number").fill("0712 345 678")
        page.get_by_role("button", name="Pay with M-PESA").click()
        expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()
        site.gate.moved_to(ME, OrderStage.PAID)
        site.gate.granted(ME, an_access())
        expect(page.get_by_role("heading", name="You are online")).to_be_visible(timeout=10_000)

        assert page.url == f"http://{HOST}/ok"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize(("phone_number", "asked"), [("0712 345 678", 1), ("0733 345 678", 0)])
def test_a_customer_chooses_the_wallet_or_leaves_it_to_the_number(
    phone: Phone,
    phone_number: str,
    asked: int,
    script: bool,  # noqa: FBT001 - a table's cell
) -> None:
    site = Site()
    two_wallets(site)
    with phone.at(site).page(java_script_enabled=script) as page:
        page.goto(PROBE)
        page.get_by_label("Number that will pay").fill(phone_number)
        for _ in range(asked):
            page.get_by_text("Airtel Money").click()
        page.get_by_role("button", name="Pay", exact=True).click()

        expect(page.get_by_text("Enter your Airtel Money PIN")).to_be_visible()


def test_a_probe_opens_the_packages(phone: Phone) -> None:
    with phone.at(Site()).page() as page:
        page.goto(PROBE)

        assert page.url == f"http://{HOST}/"


def test_a_page_is_one_request(phone: Phone) -> None:
    asked: list[str] = []
    with phone.at(Site()).page() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://{HOST}/")
        page.wait_for_load_state("networkidle")

    assert [url for url in asked if not url.startswith("data:")] == [f"http://{HOST}/"]


@pytest.mark.parametrize("scene", SCENES)
def test_the_browser_finds_nothing_to_complain_about(phone: Phone, scene: str) -> None:
    said: list[str] = []
    site = Site()
    path = SCENES[scene](site)
    with phone.at(site).page() as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"http://{HOST}{path}")

    assert said == []


def test_a_closed_page_opens_again_where_the_payment_stands(phone: Phone) -> None:
    site = Site()
    with phone.at(site).page() as page:
        page.goto(f"http://{HOST}/")
        page.get_by_label("M-PESA number").fill("0712345678")
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()
    with phone.page() as page:
        page.goto(PROBE)

        expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()


def test_a_second_tap_sends_nothing(phone: Phone) -> None:
    with phone.at(Site()).page() as page:
        page.goto(f"http://{HOST}/")
        page.get_by_label("M-PESA number").fill("0712345678")
        sent: list[str] = []

        def taken(route: Route) -> None:
            sent.append(route.request.url)
            route.fulfill(status=204)  # leaves the page where it is

        page.route("**/order", taken)
        page.evaluate(TWO_TAPS)
        expect(page.get_by_role("button", name="One moment…")).to_be_disabled()

        assert len(sent) == 1


TWO_TAPS = """() => { const form = document.querySelector("form");
    form.requestSubmit(); form.requestSubmit(); }"""


def test_the_language_is_one_tap_away_and_stays(phone: Phone) -> None:
    with phone.at(Site()).page() as page:
        page.goto(f"http://{HOST}/")
        page.get_by_role("link", name="Kiswahili").click()
        expect(page.get_by_role("heading", name="Chagua kifurushi")).to_be_visible()
        page.get_by_role("link", name="Msaada").click()

        expect(page.get_by_role("heading", name="Tuko hapa kukusaidia")).to_be_visible()


def test_the_keyboard_alone_can_buy(phone: Phone) -> None:
    with phone.at(Site()).page() as page:
        page.goto(f"http://{HOST}/")
        page.get_by_role("radio").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("0712345678")
        page.keyboard.press("Enter")

        expect(page.get_by_text("Half day")).to_be_visible()


def test_a_voucher_typed_with_dashes_connects(phone: Phone) -> None:
    site = Site()
    site.gate.voucher("7KQM-2XWD-9FTR", an_access())
    with phone.at(site).page() as page:
        page.goto(f"http://{HOST}/")
        page.get_by_role("link", name="Already paid?").click()
        page.get_by_label("Voucher, token or M-PESA code").fill("7kqm-2xwd-9ftr")
        page.get_by_role("button", name="Connect").click()

        expect(page.get_by_role("heading", name="You are online")).to_be_visible()


def test_a_refused_voucher_says_why_where_it_was_typed(phone: Phone) -> None:
    site = Site()
    site.gate.voucher("7KQM-2XWD-9FTR", Refusal.DEVICES_FULL)
    with phone.at(site).page() as page:
        page.goto(f"http://{HOST}/voucher")
        page.get_by_label("Voucher, token or M-PESA code").fill("7KQM 2XWD 9FTR")
        page.get_by_role("button", name="Connect").click()

        expect(page.get_by_role("alert")).to_contain_text("already in use on all its devices")


def test_time_left_ticks(phone: Phone) -> None:
    site = Site()
    with phone.at(site).page() as page:
        page.clock.install()
        page.goto(f"http://{HOST}{online(site, '/ok')}")
        page.clock.run_for(61_000)

        assert page.get_by_role("timer").inner_text() == "58:59"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_phone_that_changed_its_address_is_online_without_a_tap(
    phone: Phone,
    script: bool,  # noqa: FBT001 - a table's cell
) -> None:
    site = Site()
    site.gate.shared(RECEIPT, an_access(), ME)
    with phone.at(site).page(java_script_enabled=script) as page:
        page.goto(f"http://{HOST}/status")
        badge = page.context.cookies()[0]
        site.gate.changed_address(ME, OTHER)
        site.gate.fell_silent(RECEIPT, 20)
        page.goto(PROBE)

        expect(page.get_by_role("heading", name="You are online")).to_be_visible()
    assert (badge["httpOnly"], badge["sameSite"], badge["secure"]) == (True, "Lax", False)


def test_a_place_is_moved_here_with_one_tap(phone: Phone) -> None:
    site = Site()
    in_use(site)
    with phone.at(site).page(java_script_enabled=False) as page:
        page.goto(f"http://{HOST}/voucher")
        page.get_by_label("Voucher, token or M-PESA code").fill("SGH7K2Q0XD Confirmed. Ksh50.00")
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_role("heading", name="This package is in use")).to_be_visible()
        page.get_by_role("button", name="Move it here").first.click()

        expect(page.get_by_role("heading", name="You are online")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "sw"])
def test_who_paid_by_phone_types_a_code_from_an_sms(phone: Phone, language: str) -> None:
    site = Site()
    site.gate.shared(RECEIPT, an_access(), payer="0712345678")
    faults: list[object] = []
    with phone.at(site).page() as page:
        page.goto(f"http://{HOST}/phone?lang={language}")
        page.locator("#phone").fill("0712 345 678")
        page.get_by_role("button").click()
        page.wait_for_selector("#code")  # Chromium takes no picture of a page that is leaving
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=SCREENS / f"phone-code-{width}x{height}-{language}-light.png")
            faults += page.evaluate(SMALL_TEXT) + page.evaluate(SMALL_TARGETS)
        faults += [v["id"] for v in Axe().run(page).response["violations"]]
        page.get_by_role("textbox").fill("000 000")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.screenshot(path=SCREENS / f"phone-code-wrong-{language}.png")
        page.get_by_role("textbox").fill(SENT_CODE)
        page.get_by_role("button").click()

        expect(page).to_have_url(f"http://{HOST}/ok?lang={language}")
    assert faults == []


def test_a_television_is_connected_and_taken_off_again(phone: Phone) -> None:
    site = Site()
    with phone.at(site).page(java_script_enabled=False) as page:
        page.goto(f"http://{HOST}{televisions(site)}")
        page.get_by_role("button", name="Connect A1:A1").click()
        expect(page.get_by_text("TV or console", exact=True)).to_be_visible()
        page.get_by_role("button", name="Take it off").click()

        expect(page.get_by_role("button", name="Take it off")).to_have_count(0)
