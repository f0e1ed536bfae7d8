"""A site's own network with telling defaults."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING, Any

from agent.network.plan import Network

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
state_dir = "{state}"
[lan]
interface = "br-lan"
[wan]
interface = "wan0"
[network]
# Where the devices are.
address = "10.77.0.1/16" # ours
range = "10.77.1.1-10.77.1.200"
upstreams = ["198.51.100.1"]
private_names = ["example", "com"]
"""


def a_network(**changed: Any) -> Network:
    """10.77.0.1/16 on br-lan, 200 addresses for devices, one upstream."""
    return replace(
        Network(
            lan="br-lan",
            address=IPv4Interface("10.77.0.1/16"),
            first=IPv4Address("10.77.1.1"),
            last=IPv4Address("10.77.1.200"),
            portal_host="wifi.lango",
            upstreams=(IPv4Address("198.51.100.1"),),
        ),
        **changed,
    )


def a_config(folder: Path) -> Path:
    """A configuration with `a_network`, whose state is beside it."""
    path = folder / "agent.toml"
    path.write_text(CONFIG.format(state=folder / "state"))
    return path
