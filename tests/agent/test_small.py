"""What a running agent loads and holds on to."""

from __future__ import annotations

import subprocess
import sys

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
