"""``lango status``: whether the whole is well."""

from typing import Any

import typer

from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Degraded

app = typer.Typer()

SITES_MAX = 10_000


@taught(
    app,
    "status",
    "lango status",
    'lango status --json || echo "look at it"',
)
def show_status(ctx: typer.Context, *, json: Json = False) -> None:
    """Whether controller and sites are well. Exit code 7 when something is not."""
    desk = desk_of(ctx)
    version = desk.api.get("/version")["version"]
    sites = desk.api.lines("/api/v1/sites", limit=SITES_MAX)
    faults = [fault for site in sites for fault in _faults(site)]
    if json:
        content = {"status": "degraded" if faults else "ok", "url": desk.url, "version": version}
        counts = {"sites": len(sites), "sites_online": sum(s["online"] for s in sites)}
        sessions = {"sessions_open": sum(s["sessions_open"] for s in sites)}
        desk.screen.json("status", {**content, **counts, **sessions, "faults": faults})
    else:
        desk.screen.fields(
            [
                ("controller", f"{version} at {desk.url}"),
                ("sites", f"{sum(s['online'] for s in sites)} of {len(sites)} online"),
                ("sessions", str(sum(s["sessions_open"] for s in sites))),
            ]
        )
    if faults:
        raise Degraded(
            "; ".join(faults), why="a site is silent or differs", next_step="lango site list"
        )


def _faults(site: dict[str, Any]) -> list[str]:
    """What is wrong with a site. One that never joined is new, not wrong."""
    if site["last_seen_at"] is None:
        return []
    if not site["online"]:
        return [f"{site['id']} is offline"]
    differs = not site["in_step"] and site["applied_generation"] == site["generation"]
    return [f"{site['id']} has applied something else than wanted"] if differs else []
