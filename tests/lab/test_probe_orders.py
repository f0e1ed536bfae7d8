"""A probe from the controller's order to its result, by a real agent; and how its box is."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("rig"), devices=3) as running:
        yield running


async def answered(lab: Lab, probe_id: str) -> dict[str, Any] | None:
    """What the newest probes saw; None while this one is under way."""
    listed = await lab.rig.stall.list(f"sites/{lab.rig.site_id}/probes")
    found: dict[str, Any] = next(one for one in listed if one["id"] == probe_id)
    return None if found["state"] == "under_way" else found


@pytest.mark.parametrize("kind", ["arp", "trace"])
async def test_an_order_comes_back_with_what_was_seen(lab: Lab, kind: str) -> None:
    path = f"/api/v1/sites/{lab.rig.site_id}/probes"
    made = await lab.rig.stall.add(path, {"kind": kind})
    probe = await eventually(lambda: answered(lab, made["id"]), wait_s=60)

    assert probe is not None
    assert probe["state"] == "answered"
    assert probe["result"]["outcome"] == "seen", probe["result"]
    if kind == "arp":
        macs = {one.split()[1] for one in probe["result"]["devices"]}
        assert {device.mac for device in lab.site.devices} <= macs


async def vitals(lab: Lab) -> dict[str, Any] | None:
    """What the controller knows of the box; None before it was told."""
    answer = await lab.rig.stall.client.get(f"/api/v1/sites/{lab.rig.site_id}/vitals")
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == HTTPStatus.OK else None


async def test_a_real_sites_vitals_arrive(lab: Lab) -> None:
    found = await eventually(lambda: vitals(lab))
    status = json.loads((lab.agent_config.parent / "run/status.json").read_text())

    assert found is not None
    assert found["memory_pct"] in range(1, 100)
    assert found["disk_pct"] in range(101)
    assert found["agent_memory_kib"] in range(20_000, 70_000)
    assert found["wan_up_bytes"] > 0
    assert found["lan_up_bytes"] is not None
    assert status["wan_up_bytes"] >= found["wan_up_bytes"]
