"""The operator's looks, and the words about work and outages, on the captive portal."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta

import pytest

from portal.captive.gate import Work
from portal.captive.screens import ANNOUNCED_MAX, announced
from tests.support.portal import NOON, Site, a_face

PICTURE = b"\x89PNG\r\n\x1a\nnot looked at here"
WORK = Work(NOON, NOON + timedelta(hours=2), "New mast.", "Mlingoti mpya.")


async def page_of(site: Site, language: str = "en") -> str:
    async with site.phone() as phone:
        return (await phone.get(f"/?lang={language}")).text


async def test_the_operators_colour_goes_into_the_style_and_its_hash() -> None:
    async with Site(face=a_face(colour="#ffee00")).phone() as phone:
        answer = await phone.get("/")
    plain = await page_of(Site())

    assert ":root{--go:#" in answer.text.partition("prefers-color-scheme")[2]
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    assert re.findall(r"<style>.*?</style>", plain, re.DOTALL) != re.findall(
        r"<style>.*?</style>", answer.text, re.DOTALL
    )


async def test_the_logo_is_one_file_that_a_browser_keeps() -> None:
    site = Site(face=a_face(logo="0123456789abcdef"))
    site.gate.picture = PICTURE
    async with site.phone() as phone:
        page = await phone.get("/")
        picture = await phone.get("/logo/0123456789abcdef.png")
        strange = await phone.get("/logo/ffffffffffffffff.png")

    assert 'src="/logo/0123456789abcdef.png"' in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    assert "immutable" in picture.headers["cache-control"]
    assert strange.status_code == 404


async def test_without_a_logo_there_is_no_picture_under_its_empty_name() -> None:
    async with Site().phone() as phone:
        assert (await phone.get("/logo/.png")).status_code == 404


async def test_a_page_with_everything_still_fits_into_the_first_flight() -> None:
    works = (WORK, Work(NOON, NOON + timedelta(days=2), "w" * 200, "k" * 200))
    site = Site(face=a_face(colour="#ffee00", logo="0" * 16, works=works, cut_off=True))

    assert len(gzip.compress((await page_of(site)).encode())) <= 6 * 1024


@pytest.mark.parametrize(
    ("work", "language", "words"),
    [
        (WORK, "en", ["Work on the network: Mon 2 Mar 12:00–14:00", "New mast."]),  # noqa: RUF001
        (WORK, "sw", ["Kazi kwenye mtandao: Jtatu 2 Mac", "Mlingoti mpya."]),
        (
            Work(NOON, NOON + timedelta(hours=12), "x", "y"),
            "en",
            ["Mon 2 Mar 12:00–24:00"],  # noqa: RUF001
        ),
        (
            Work(NOON, NOON + timedelta(hours=13), "x", "y"),
            "en",
            ["Mon 2 Mar 12:00 – Tue 3 Mar 01:00"],  # noqa: RUF001
        ),
        (
            Work(NOON, NOON + timedelta(hours=2), "<b>x</b>", "y", on=True),
            "en",
            ["Work on the network until Mon 2 Mar, 14:00", "&lt;b&gt;x"],
        ),
    ],
)
async def test_work_is_announced_in_the_customers_language(
    work: Work, language: str, words: list[str]
) -> None:
    page = await page_of(Site(face=a_face(works=(work,))), language)

    assert [one for one in words if one not in page] == []


def test_work_is_announced_from_three_days_before_until_it_is_over() -> None:
    around = [timedelta(days=-3, seconds=-1), timedelta(days=-3), timedelta(0), timedelta(hours=2)]
    seen = [announced([WORK], NOON + one) for one in around]

    assert [[one.on for one in works] for works in seen] == [[], [False], [True], []]


def test_no_more_works_are_shown_than_leave_room_for_the_packages() -> None:
    later = [
        Work(NOON + timedelta(hours=n), NOON + timedelta(days=1), str(n), "") for n in range(9)
    ]

    shown = [one.text_en for one in announced(later[::-1], NOON - timedelta(hours=1))]
    assert shown == ["0", "1"]
    assert len(shown) == ANNOUNCED_MAX


async def test_a_cut_off_site_says_so() -> None:
    assert "The line from here to us is down" in await page_of(Site(face=a_face(cut_off=True)))


async def test_one_language_has_no_switch_and_is_spoken_to_all() -> None:
    site = Site(face=a_face(language="sw", languages=("sw",)))
    page = await page_of(site, "en")

    assert '<html lang="sw">' in page
    assert 'class="tongue"' not in page
