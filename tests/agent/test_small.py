"""What a running agent loads and holds on to."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from agent import small

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = (
    "import sys, agent.running, portal.captive.app, shaping.linux.plane, shaping.linux.neighbours;"
)


def told(script: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def test_a_running_agent_loads_nothing_that_it_never_uses() -> None:
    unused = {"pyroute2", "cryptography", "click", "multiprocessing", "importlib.metadata"}

    loaded = told(RUNNING + "print(*sys.modules)").split()

    assert unused & set(loaded) == set()


def test_whoever_imports_uvicorn_after_us_gets_all_of_it() -> None:
    assert told(RUNNING + "import uvicorn; print(uvicorn.run.__name__)") == "run"


def test_threads_share_one_heap() -> None:
    script = """
import ctypes, threading
from agent import small
small.one_heap()
threads = [threading.Thread(target=ctypes.CDLL(None).malloc, args=(99,)) for _ in range(9)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )

    assert ran.stderr.count("Arena ") == 1


def test_code_that_is_not_used_is_not_held() -> None:
    script = """
import asyncio, sqlite3, ssl
from pathlib import Path
from agent import small
def file_kb():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kb = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return kb["Rss:"] - kb["Anonymous:"]
code = small.Code()
before = file_kb()
code.let_go()
once = file_kb()
code.let_go()
print(before - once < 1_000, 2 * file_kb() < before, asyncio.run(asyncio.sleep(0, "alive")))
"""
    assert told(script) == "True True alive"


def test_what_was_ever_written_is_never_taken_for_code(tmp_path: Path) -> None:
    smaps = tmp_path / "smaps"
    smaps.write_text(
        "1000-2000 r-xp 00000000 08:01 7 /lib/a.so\nRss: 4 kB\nAnonymous: 0 kB\n"
        "2000-3000 r--p 00001000 08:01 7 /lib/a.so\nRss: 4 kB\nAnonymous: 4 kB\n"
        "3000-4000 rw-p 00002000 08:01 7 /lib/a.so\nRss: 4 kB\nAnonymous: 0 kB\n"
        "4000-5000 rw-s 00000000 08:01 9 /var/journal.db-shm\nRss: 4 kB\nAnonymous: 0 kB\n"
        "5000-6000 r--p 00000000 08:01 8 /lib/a b (deleted)\nRss: 4 kB\nAnonymous: 0 kB\n"
        "6000-7000 r--p 00000000 00:00 0 [vvar]\nRss: 4 kB\nAnonymous: 0 kB\n"
        "7000-8000 ---p 00000000 08:01 8 /lib/b.so\nRss: 0 kB\nAnonymous: 4 kB\n"
    )

    assert small.unwritten(smaps) == [(0x1000, 0x2000), (0x5000, 0x6000)]
