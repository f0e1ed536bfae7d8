"""Runs the real ``lango`` command as its own process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


async def lango(*words: str, cwd: Path, **env: str) -> Ran:
    """Run it in ``cwd`` with nothing of ours in the environment but ``env``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LANGO_", "NO_COLOR"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controller.cli.app",
        *words,
        cwd=cwd,
        env={**clean, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), RUN_MAX_S)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
