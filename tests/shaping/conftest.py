"""A gateway with devices, made once for each file that asks for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.gateway import Street

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def wired_street() -> Iterator[Street]:
    with Street() as street:
        yield street


@pytest.fixture
def street(wired_street: Street) -> Iterator[Street]:
    """The gateway, with nothing of ours in it."""
    yield wired_street
    wired_street.restart()
    asyncio.run(wired_street.plane.clear())
