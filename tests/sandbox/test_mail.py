"""The simulated mail server, spoken to by hand; and the page where its letters are read."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest

from controller.notify.email import EmailOut
from controller.notify.smtp import Security
from controller.sandbox.mail.dialogue import Dialogue
from controller.sandbox.mail.faults import SWITCHES, MailFaults
from controller.sandbox.mail.settings import MailSettings
from tests.support.mail import a_post

if TYPE_CHECKING:
    from pathlib import Path


def talked(*lines: str, private: bool = False) -> list[str]:
    """The codes that a customer called ``trial`` with the password ``word`` hears."""
    settings = MailSettings(username="trial", password="word", private=private)
    dialogue = Dialogue(settings, faults=MailFaults, has_certificate=private, is_private=False)
    return [dialogue.heard(line.encode()).lines[-1][:3] for line in lines]


def test_a_log_in_may_ask_for_name_and_password_one_by_one() -> None:
    name, word = (base64.b64encode(one).decode() for one in (b"trial", b"word"))

    assert talked("EHLO me", "AUTH LOGIN", name, word) == ["250", "334", "334", "235"]
    assert talked("EHLO me", f"AUTH LOGIN {name}", word) == ["250", "334", "235"]
    assert talked("EHLO me", "AUTH LOGIN", name, name) == ["250", "334", "334", "535"]


def test_who_did_not_log_in_sends_nothing() -> None:
    assert talked("EHLO me", "MAIL FROM:<a@b.example>", "DATA") == ["250", "530", "503"]


def test_nothing_is_taken_before_the_way_is_private() -> None:
    plain = base64.b64encode(b"\0trial\0word").decode()
    heard = talked("EHLO me", f"AUTH PLAIN {plain}", "MAIL FROM:<a@b.example>", private=True)

    assert heard == ["250", "503", "530"]


@pytest.mark.parametrize("line", ["", "\0", "MAIL", "AUTH PLAIN ===", "\xff" * 40, "DATA"])
def test_nonsense_is_answered_with_a_no(line: str) -> None:
    assert talked("EHLO me", line)[1][0] == "5"


async def test_a_letter_that_is_cut_off_is_not_kept(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        reader, writer = await asyncio.open_connection("127.0.0.1", post.smtp_port)
        plain = base64.b64encode(b"\0mtaanet\0hush-hush-password").decode()
        steps = ["EHLO me", f"AUTH PLAIN {plain}", "MAIL FROM:<a@b.ke>", "RCPT TO:<c@d.ke>", "DATA"]
        await reader.readline()
        for step in steps:
            writer.write(f"{step}\r\n".encode())
            while (await reader.readline())[3:4] == b"-":
                pass
        writer.write(b"Subject: hi\r\n\r\nhal")
        await writer.drain()
        writer.close()
        await reader.read()

        assert await post.letters() == []


async def test_letters_can_be_read_on_a_page_and_run_nothing_there(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    async with a_post(tmp_path) as post:
        await post.client().send(EmailOut("amina@example.co.ke", bad, bad, bad), "a" * 32)
        page = await post.http.get(f"{post.url}/mail", params={"to": "amina@example.co.ke"})
        others = await post.http.get(f"{post.url}/mail", params={"to": "else@example.co.ke"})

    assert bad not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<iframe sandbox " in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "No letter has come yet." in others.text


async def test_every_fault_says_what_is_real_and_what_is_seen(tmp_path: Path) -> None:
    async with a_post(tmp_path, Security.NONE) as post:
        told = (await post.http.get(f"{post.url}/sim/mail/faults")).json()

    assert sorted(told["about"]) == sorted(SWITCHES) == sorted(set(told) - {"about"})
    assert all(len(sentences) == 2 for sentences in told["about"].values())


@pytest.mark.parametrize(
    ("told", "named"), [({"mail_up": True}, "mail_up"), ({"mail_down": 1}, "mail_down")]
)
async def test_a_switch_that_cannot_be_is_named(
    tmp_path: Path, told: dict[str, object], named: str
) -> None:
    async with a_post(tmp_path) as post:
        answer = await post.http.post(f"{post.url}/sim/mail/faults", json=told)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, [named])
