"""``lango grant``: rights to use."""

from typing import Annotated, Any

import typer
from rich.text import Text

from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught
from controller.cli.screen import toned

app = typer.Typer(no_args_is_help=True, help="Grants: rights to use, bought or given.")


@taught(
    app,
    "list",
    "lango grant list",
    "lango grant list --site estate-1 --ended --json",
)
def list_grants(
    ctx: typer.Context,
    site: OfSite = None,
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended too.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the grants that are still good, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "open": not ended}
    lines = desk.api.lines("/api/v1/grants", limit=limit, query=query)
    if json:
        desk.screen.json("grants", {"data": lines})
        return
    desk.screen.table(
        ("GRANT", "PLAN", ">TIME LEFT", ">DATA LEFT", "ENDED"),
        [
            (
                line["id"],
                line["plan_id"],
                words.span(line["left_s"]),
                words.volume(line["left_bytes"]),
                line["ended_reason"] or words.NOTHING,
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("No such grants.")


@taught(
    app,
    "show",
    "lango grant show 3f2c…",
    "lango grant show 3f2c… --json",
)
def show_grant(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    *,
    json: Json = False,
) -> None:
    """Show a grant: what each site holds of it, and how far its use can exceed its quota."""
    desk = desk_of(ctx)
    found = desk.api.get(f"/api/v1/grants/{grant}")
    if json:
        desk.screen.json("grant", found)
        return
    plain = {name: found[name] for name in found if name not in ("sites", "exposure_bytes")}
    desk.screen.fields(words.fields(plain))
    desk.screen.table(
        ("SITE", "STATE", ">HANDED", ">USED", ">TIME HANDED", ">TIME USED"),
        [_share(line) for line in found["sites"]],
    )


def _share(line: dict[str, Any]) -> tuple[str | Text, ...]:
    return (
        line["site_id"],
        toned("online", "good") if line["online"] else toned("offline", "bad"),
        words.volume(line["handed_bytes"]),
        words.volume(line["own_bytes"]),
        words.span(line["handed_uptime_s"]),
        words.span(line["own_uptime_s"]),
    )


@taught(
    app,
    "give",
    "lango grant give --site e1 --plan h2 --device 02:00:00:00:00:01",
    "lango grant give --site e1 --plan h2 --device 02-00-00-00-00-01 --json",
)
def give_grant(
    ctx: typer.Context,
    site: Annotated[str, typer.Option(help="Where it is good.")],
    plan: Annotated[str, typer.Option(help="What it allows.")],
    device: Annotated[str, typer.Option(help="The MAC address that may use it.")],
    *,
    phone: Annotated[str | None, typer.Option(help="Whose it is: 0712 345 678")] = None,
    json: Json = False,
) -> None:
    """Give a plan away."""
    desk = desk_of(ctx)
    body = {"site_id": site, "plan_id": plan, "device_mac": device, "phone": phone}
    made = desk.api.post("/api/v1/grants", body)
    if json:
        desk.screen.json("grant", made)
        return
    desk.screen.line(made["id"])
    desk.screen.say(f"Given. To end it early: lango grant revoke {made['id']}")


@taught(
    app,
    "add-device",
    "lango grant add-device 3f2c… 02:00:00:00:00:02",
    "lango grant add-device 3f2c… 02:00:00:00:00:02 --json",
)
def add_device(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    device: Annotated[str, typer.Argument(metavar="MAC", help="Its address.")],
    *,
    json: Json = False,
) -> None:
    """Let one more device use a grant. The same device again changes nothing."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/grants/{grant}/devices", {"device_mac": device})
    if json:
        desk.screen.json("grant", done)
    else:
        desk.screen.say(f"May use it: {', '.join(done['devices'])}")


@taught(
    app,
    "revoke",
    "lango grant revoke 3f2c…",
    "lango grant revoke 3f2c… --json",
)
def revoke_grant(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    *,
    json: Json = False,
) -> None:
    """End a grant now. Revoking again changes nothing."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/grants/{grant}/revoke")
    if json:
        desk.screen.json("grant", done)
    else:
        desk.screen.say(f"Ended ({done['ended_reason']}) at {words.moment(done['ended_at'])}.")


@taught(
    app,
    "suspend",
    "lango grant suspend 3f2c…",
    "lango grant suspend 3f2c… --json",
)
def suspend_grant(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    *,
    json: Json = False,
) -> None:
    """Let nothing pass on a grant until it is resumed. Its calendar clock goes on."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/grants/{grant}/suspend")
    if json:
        desk.screen.json("grant", done)
    else:
        since = words.moment(done["suspended_at"])
        desk.screen.say(f"Suspended since {since}. Again on with: lango grant resume {grant}")


@taught(
    app,
    "resume",
    "lango grant resume 3f2c…",
    "lango grant resume 3f2c… --json",
)
def resume_grant(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    *,
    json: Json = False,
) -> None:
    """Let a suspended grant pass again."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/grants/{grant}/resume")
    if json:
        desk.screen.json("grant", done)
    else:
        desk.screen.say("It passes again.")
