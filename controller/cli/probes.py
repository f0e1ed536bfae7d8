"""``lango probe``: have a site look at its LAN or its uplink."""

import time
from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Desk, Json, desk_of
from controller.cli.examples import begun
from controller.cli.faults import Degraded, Fault
from controller.noc.text import NAIROBI

app = typer.Typer()

KINDS = ("arp", "dhcp", "trace", "dns", "mtu")
LOOK_AGAIN_S = 1.0
WAIT_MAX_S = 660.0
"""A little longer than the controller waits itself."""

NOISE = ("kind", "target", "outcome", "odd", "packets", "took_ms")
"""Fields of a result that are shown in words of their own, or not at all."""


def probe(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help=f"{', '.join(KINDS)}; none: list them.")
    ] = None,
    target: Annotated[str, typer.Option(help="An address, a network, or a name.")] = "",
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for what it sees.")] = False,
    json: Json = False,
) -> None:
    """Have a site look at its network once; without a kind, list what was seen."""
    desk = desk_of(ctx)
    if kind is None:
        _list(desk, site, json=json)
        return
    made = desk.api.post(f"/api/v1/sites/{site}/probes", {"kind": kind, "target": target})
    if wait:
        made = _awaited(desk, site, made)
    if json:
        desk.screen.json("probe", made)
    elif made["result"] is None:
        desk.screen.line(made["id"])
        desk.screen.say(f"{site} is asked. What it sees: lango probe {site}")
    else:
        _show(desk, made["result"])
    _judge(site, made)


def _awaited(desk: Desk, site: str, made: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + WAIT_MAX_S
    while made["state"] == "under_way" and time.monotonic() < until:
        time.sleep(LOOK_AGAIN_S)
        made = desk.api.get(f"/api/v1/sites/{site}/probes/{made['id']}")
    return made


def _show(desk: Desk, result: dict[str, Any]) -> None:
    for one in result.get("odd", ()):
        desk.screen.line(f"!! {one}")
    pairs = [(name, _plain(value)) for name, value in result.items() if name not in NOISE]
    desk.screen.fields([*pairs])


def _plain(value: Any) -> str:
    """A field of a result, lists a line each."""
    if isinstance(value, list):
        return "\n".join(_plain(one) for one in value) or words.NOTHING
    if isinstance(value, dict):
        return "  ".join(f"{name} {words.plain(one)}" for name, one in value.items())
    return words.plain(value)


def _judge(site: str, made: dict[str, Any]) -> None:
    """Leave with the exit code that the result deserves."""
    result = made["result"]
    if made["state"] == "given_up":
        raise Fault(f"{site} did not answer", why="a probe is given up after ten minutes")
    if result is not None and result.get("outcome") != "seen":
        raise Fault(f"{site} did not look", why=str(result.get("error", "")))
    if result is not None and result.get("odd"):
        raise Degraded(f"{len(result['odd'])} oddities were seen at {site}")


def _list(desk: Desk, site: str, *, json: bool) -> None:
    lines = desk.api.lines(f"/api/v1/sites/{site}/probes", limit=50)
    if json:
        desk.screen.json("probes", {"data": lines})
        return
    desk.screen.table(
        ("ASKED", "KIND", "TARGET", "STATE", "SEEN"),
        [
            (
                f"{words.instant(line['asked_at']).astimezone(NAIROBI):%d %b %H:%M:%S}",
                line["kind"],
                line["target"] or words.NOTHING,
                line["state"].replace("_", " "),
                _short(line["result"]),
            )
            for line in lines
        ],
    )


def _short(result: dict[str, Any] | None) -> str:
    if result is None:
        return words.NOTHING
    if result.get("outcome") != "seen":
        return str(result.get("error", ""))
    return "; ".join(map(str, result.get("odd", ()))) or "nothing odd"


app.command(
    "probe",
    help=begun(
        probe.__doc__ or "",
        "lango probe estate-1 arp --wait",
        "lango probe estate-1 trace --target 192.0.2.1 --wait --json",
    ),
    short_help=(probe.__doc__ or "").split("\n")[0],
)(probe)
