"""Runs the real ``lango`` command: as its own process, or (much quicker) in a thread of ours."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from controller.cli.app import main

if TYPE_CHECKING:
    from pathlib import Path

RUN_MAX_S = 60


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its data as JSON."""
        content: dict[str, Any] = json.loads(self.out)
        return content


async def lango_here(*words: str) -> Ran:
    """Run it in a thread, with this process's environment and folder."""
    return await asyncio.to_thread(_main, words)


def _main(words: tuple[str, ...]) -> Ran:
    code = 0
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


async def lango(*words: str, cwd: Path, said: str = "", **env: str) -> Ran:
    """Run it in ``cwd`` with nothing of ours in the environment but ``env``.

    ``said`` is what it reads on its standard input.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LANGO_", "NO_COLOR"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controller.cli.app",
        *words,
        cwd=cwd,
        env={**clean, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(said.encode()), RUN_MAX_S)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
