"""What every `Email` does, on the fake that ships and by SMTP over real loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_string, policy
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest
from structlog.testing import capture_logs

from controller.notify.absent import AbsentEmail
from controller.notify.email import EmailNotSent, EmailOut, EmailRefused, EmailUnsure
from controller.notify.memory import Scripted
from controller.notify.memory_email import MemoryEmail
from controller.notify.smtp import Security
from tests.support.mail import PASSWORD, SENDER, Post, a_post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.notify.email import Email

READER = "amina@example.co.ke"
TEXT = "Habari Amina\u2019,\n\n.a line with a dot\nKES 1,500 \u2013 asante.\n"
HTML = "<p>Habari Amina\u2019</p>"
LETTER = EmailOut(READER, "Receipt RCT-main-000001", TEXT, HTML)
FIRST, SECOND = "a" * 32, "b" * 32


class Carrier(Protocol):
    """A carrier, and the mailboxes on the other end of it."""

    @property
    def email(self) -> Email: ...
    async def inbox(self) -> list[tuple[str, str, str]]: ...
    async def goes_down(self) -> None: ...
    async def knows_no_such_box(self) -> None: ...
    async def loses_the_answer(self) -> None: ...


@dataclass(slots=True)
class MemoryCarrier:
    email: MemoryEmail

    async def inbox(self) -> list[tuple[str, str, str]]:
        return [(one.subject, one.text, one.html) for one in self.email.to(READER)]

    async def goes_down(self) -> None:
        self.email.script(Scripted.DOWN)

    async def knows_no_such_box(self) -> None:
        self.email.script(Scripted.REFUSE)

    async def loses_the_answer(self) -> None:
        self.email.script(Scripted.LOSE)


@dataclass(slots=True)
class SmtpCarrier:
    post: Post
    email: Email

    async def inbox(self) -> list[tuple[str, str, str]]:
        return [
            (one["subject"], one["text"].replace("\r\n", "\n"), one["html"].rstrip())
            for one in reversed(await self.post.letters())
            if one["to"] == READER
        ]

    async def goes_down(self) -> None:
        await self.post.set_faults(mail_down=True)

    async def knows_no_such_box(self) -> None:
        await self.post.set_faults(mail_no_such_box=True)

    async def loses_the_answer(self) -> None:
        await self.post.set_faults(mail_no_answer=True)


@asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[Carrier]:
    yield MemoryCarrier(MemoryEmail())


@asynccontextmanager
async def smtp(folder: Path, *, security: Security) -> AsyncIterator[Carrier]:
    async with a_post(folder, security) as post:
        yield SmtpCarrier(post, post.client())


CARRIERS = {"memory": memory} | {f"smtp-{one}": partial(smtp, security=one) for one in Security}


@pytest.fixture(params=list(CARRIERS.values()), ids=list(CARRIERS))
async def carrier(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Carrier]:
    async with request.param(tmp_path) as made:
        yield made


async def test_a_letter_arrives_word_by_word_and_has_a_name(carrier: Carrier) -> None:
    name = await carrier.email.send(LETTER, FIRST)

    assert FIRST in name
    assert await carrier.inbox() == [(LETTER.subject, TEXT, HTML)]


async def test_a_letter_that_was_not_taken_is_certain_not_to_have_left(carrier: Carrier) -> None:
    await carrier.goes_down()
    with pytest.raises(EmailNotSent):
        await carrier.email.send(LETTER, FIRST)

    assert await carrier.inbox() == []


async def test_a_mailbox_that_is_not_there_is_refused_for_good(carrier: Carrier) -> None:
    await carrier.knows_no_such_box()
    with pytest.raises(EmailRefused):
        await carrier.email.send(LETTER, FIRST)

    assert await carrier.inbox() == []


async def test_a_lost_answer_is_doubt_and_the_letter_may_have_left(carrier: Carrier) -> None:
    await carrier.loses_the_answer()
    with pytest.raises(EmailUnsure):
        await carrier.email.send(LETTER, SECOND)

    assert len(await carrier.inbox()) == 1


@pytest.mark.parametrize(
    "address",
    ["", "amina", "a b@example.com", "a@b", "a@example.com\r\nBcc: x@example.com", "é@example.com"],
)
async def test_an_address_that_is_none_is_refused_for_good(carrier: Carrier, address: str) -> None:
    with pytest.raises(EmailRefused):
        await carrier.email.send(EmailOut(address, "s", "t"), FIRST)


async def test_without_an_account_every_letter_is_refused_for_good() -> None:
    with pytest.raises(EmailRefused, match="absent"):
        await AbsentEmail().send(LETTER, FIRST)


async def test_a_letter_that_is_sent_again_has_the_same_name(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        for _ in range(2):
            await post.client().send(LETTER, FIRST)
        names = {one["message_id"] for one in await post.letters()}

    assert names == {f"<{FIRST}@mtaa.example>"}


async def test_a_line_break_in_a_subject_makes_no_header(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        await post.client().send(EmailOut(READER, "hi\r\nBcc: x@example.com", "t"), FIRST)
        (letter,) = await post.letters()
    headers = message_from_string(letter["raw"], policy=policy.default)

    assert headers["Subject"] == "hi Bcc: x@example.com"
    assert headers["Bcc"] is None
    assert headers["From"] == f"Mtaa Net <{SENDER}>"
    assert headers["Auto-Submitted"] == "auto-generated"


async def test_whatever_is_written_seven_bits_go_over_the_wire(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        await post.client().send(EmailOut(READER, "\u2013", "\u2019" * 3_000), FIRST)
        (letter,) = await post.letters()

    assert letter["raw"].isascii()
    assert max(len(line) for line in letter["raw"].splitlines()) <= 998


TROUBLES = """
mail_later       EmailNotSent  smtp-451
mail_no_such_box EmailRefused  smtp-550
mail_bad_sender  EmailNotSent  sender-553
mail_down        EmailNotSent  smtp-421
"""


@pytest.mark.parametrize("line", TROUBLES.split("\n")[1:-1])
async def test_each_no_of_a_server_has_its_meaning(tmp_path: Path, line: str) -> None:
    fault, kind, code = line.split()
    async with a_post(tmp_path) as post:
        await post.set_faults(**{fault: True})
        with pytest.raises((EmailNotSent, EmailRefused)) as trouble:
            await post.client().send(LETTER, FIRST)

    assert (type(trouble.value).__name__, trouble.value.code) == (kind, code)


async def test_a_wrong_password_is_no_letter_and_stands_nowhere(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        client = post.client(password="very-wrong")
        with capture_logs() as logs, pytest.raises(EmailNotSent) as refused:
            await client.send(LETTER, FIRST)

    assert refused.value.code == "smtp-535"
    assert "very-wrong" not in f"{client!r} {refused.value!r} {logs}"
    assert READER not in f"{refused.value!r} {logs}"


async def test_no_password_is_told_on_a_way_that_does_not_turn_private(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        with pytest.raises(EmailNotSent, match="SMTPNotSupportedError"):
            await post.client(security=Security.STARTTLS).send(LETTER, FIRST)

        assert await post.letters() == []


async def test_a_certificate_that_nobody_vouches_for_gets_no_password(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        a_post(tmp_path, Security.TLS) as post,
        a_post(tmp_path / "other", Security.TLS) as stranger,
    ):
        with pytest.raises(EmailNotSent, match="SSLCertVerificationError"):
            await post.client(port=stranger.smtp_port).send(LETTER, FIRST)


async def test_a_server_that_nobody_reaches_took_nothing(tmp_path: Path) -> None:
    async with a_post(tmp_path) as post:
        with pytest.raises(EmailNotSent, match="ConnectionRefusedError"):
            await post.client(port=9).send(LETTER, FIRST)


def test_passwords_stay_out_of_reprs(tmp_path: Path) -> None:
    assert PASSWORD not in repr(LETTER)
    assert READER not in repr(LETTER)
