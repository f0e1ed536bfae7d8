"""One rig per file of tests: controller, simulated M-PESA, lab site and agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.support.lab import Lab, a_lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("rig"), devices=20) as running:
        yield running
