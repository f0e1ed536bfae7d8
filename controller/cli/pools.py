"""``lango pool``: rates that many devices of a site share."""

from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught
from controller.cli.plans import RATE

app = typer.Typer(
    no_args_is_help=True, help="Pools: rates that many devices of a site share fairly."
)

SiteId = Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")]
PoolId = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
Down = Annotated[int | None, typer.Option(parser=RATE, metavar="RATE", help="20M, 512k")]
Up = Annotated[int | None, typer.Option(parser=RATE, metavar="RATE", help="10M, 256k")]
Name = Annotated[str | None, typer.Option(help="What people call it.")]
Parent = Annotated[str | None, typer.Option(help='The pool that it is part of; "" for none.')]
Ports = Annotated[list[str] | None, typer.Option("--port", help="A bridge port of it. Repeat it.")]


@taught(app, "list", "lango pool list estate-1", "lango pool list estate-1 --json")
def list_pools(ctx: typer.Context, site: SiteId, *, json: Json = False) -> None:
    """List a site's pools."""
    desk = desk_of(ctx)
    lines = _held(ctx, site)
    if json:
        desk.screen.json("pools", {"data": lines})
        return
    desk.screen.table(
        ("POOL", "NAME", "PART OF", ">DOWN", ">UP", "PORTS"),
        [
            (
                line["id"],
                line["name"],
                line["parent_id"] or words.NOTHING,
                words.rate(line["down_bps"]),
                words.rate(line["up_bps"]),
                " ".join(line["ports"]) or words.NOTHING,
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No pools here. Add one: lango pool add SITE POOL --down 20M --up 10M")


@taught(
    app,
    "add",
    "lango pool add estate-1 mast --down 50M --up 20M",
    "lango pool add estate-1 ap1 --down 20M --up 10M --parent mast --port eth1",
)
def add_pool(
    ctx: typer.Context,
    site: SiteId,
    pool: PoolId,
    *,
    down: Annotated[int, typer.Option(parser=RATE, metavar="RATE", help="20M, 512k")],
    up: Annotated[int, typer.Option(parser=RATE, metavar="RATE", help="10M, 256k")],
    name: Name = None,
    parent: Parent = None,
    port: Ports = None,
    json: Json = False,
) -> None:
    """Make a pool. The same again changes nothing."""
    body = {
        "id": pool,
        "name": name or pool,
        "down_bps": down,
        "up_bps": up,
        "parent_id": parent or "",
        "ports": port or [],
    }
    made = desk_of(ctx).api.post(f"/api/v1/sites/{site}/pools", body)
    _show(ctx, made, json=json)


@taught(
    app,
    "set",
    "lango pool set estate-1 ap1 --down 30M",
    'lango pool set estate-1 ap1 --parent "" --json',
)
def set_pool(
    ctx: typer.Context,
    site: SiteId,
    pool: PoolId,
    *,
    down: Down = None,
    up: Up = None,
    name: Name = None,
    parent: Parent = None,
    port: Ports = None,
    json: Json = False,
) -> None:
    """Change a pool; what is not said stays."""
    said = {"name": name, "down_bps": down, "up_bps": up, "parent_id": parent, "ports": port}
    held = next((one for one in _held(ctx, site) if one["id"] == pool), {})
    body = {
        field: held.get(field) or ([] if field == "ports" else "") if value is None else value
        for field, value in said.items()
    }
    if not held:
        body |= {"name": name or pool, "down_bps": down or 0, "up_bps": up or 0}
    made = desk_of(ctx).api.post(f"/api/v1/sites/{site}/pools/{pool}", body)
    _show(ctx, made, json=json)


@taught(app, "remove", "lango pool remove estate-1 ap1", "lango pool remove estate-1 ap1 --json")
def remove_pool(ctx: typer.Context, site: SiteId, pool: PoolId, *, json: Json = False) -> None:
    """Take a pool away; its devices share nothing then."""
    desk = desk_of(ctx)
    left = desk.api.post(f"/api/v1/sites/{site}/pools/{pool}/remove")
    if json:
        desk.screen.json("pools", {"data": left["data"]})
    else:
        desk.screen.say(f"There is no pool {pool} at {site} now.")


def _held(ctx: typer.Context, site: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = desk_of(ctx).api.get(f"/api/v1/sites/{site}/pools")["data"]
    return lines


def _show(ctx: typer.Context, made: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("pool", made)
        return
    screen.line(made["id"])
    screen.say(f"{made['name']} at {made['site_id']}: {words.rates(made)}.")
