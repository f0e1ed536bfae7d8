"""The simulated mail server on a TCP port."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from controller.sandbox.mail.dialogue import LETTER_BYTES_MAX, Dialogue
from controller.sandbox.mail.faults import MailFaults

if TYPE_CHECKING:
    import ssl

    from controller.sandbox.mail.box import Box
    from controller.sandbox.mail.dialogue import Answer
    from controller.sandbox.mail.settings import MailSettings

LINE_BYTES_MAX = 65_536
SILENCE_MAX_S = 60


class MailServer:
    """SMTP into a `Box`. ``tls`` holds its certificate; without one nothing can be private."""

    def __init__(
        self, settings: MailSettings, box: Box, *, tls: ssl.SSLContext | None = None
    ) -> None:
        assert tls is not None or not (settings.private or settings.wrapped), "no certificate"
        self._settings = settings
        self._box = box
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.faults = MailFaults()
        self.port = 0
        self.talks_total = 0
        """How many connections there were."""

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Open the door; at any free ``port`` for 0."""
        self._server = await asyncio.start_server(
            self._talk,
            host,
            port,
            limit=LINE_BYTES_MAX,
            ssl=self._tls if self._settings.wrapped else None,
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the door, and hang up."""
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        self.talks_total += 1
        try:
            async with asyncio.timeout(SILENCE_MAX_S):
                await self._answer(reader, writer)
        except (OSError, ValueError, EOFError, TimeoutError):
            pass  # whoever talks nonsense, or nothing, is hung up on
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogue = Dialogue(
            self._settings,
            faults=lambda: self.faults,
            has_certificate=self._tls is not None,
            is_private=self._settings.wrapped,
        )
        answer = dialogue.greeting()
        await _say(writer, answer)
        while not answer.over:
            line = await reader.readline()
            if not line:
                return
            answer = dialogue.heard(line.rstrip(b"\r\n"))
            await _say(writer, answer)
            if answer.turns_private:
                assert self._tls is not None
                await writer.start_tls(self._tls)
                dialogue.turned_private()
            if answer.letter_follows:
                raw = await _letter(reader)
                self._box.put(sender=dialogue.sender, receivers=dialogue.receivers, raw=raw)
                if self.faults.mail_no_answer:
                    return
                await _say(writer, dialogue.took())


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write("".join(f"{line}\r\n" for line in answer.lines).encode())
    await writer.drain()


async def _letter(reader: asyncio.StreamReader) -> bytes:
    """A letter up to its single dot. Raises `EOFError`, `ValueError` when it never ends."""
    lines, size = list[bytes](), 0
    while (line := await reader.readline()) != b".\r\n":
        if not line:
            raise EOFError("cut off")
        size += len(line)
        if size > LETTER_BYTES_MAX:
            raise ValueError("too large")
        lines.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(lines)
