"""``lango session``: who is online."""

from typing import Annotated

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, OfSite, desk_of
from controller.cli.examples import taught

app = typer.Typer(no_args_is_help=True, help="Sessions: one device's use of one grant.")


@taught(
    app,
    "list",
    "lango session list",
    "lango session list --site estate-1 --json",
)
def list_sessions(
    ctx: typer.Context,
    site: OfSite = None,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Those that ended too.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the open sessions, newest first."""
    desk = desk_of(ctx)
    query = {"site_id": site, "open": not closed}
    lines = desk.api.lines("/api/v1/sessions", limit=limit, query=query)
    if json:
        desk.screen.json("sessions", {"data": lines})
        return
    desk.screen.table(
        ("DEVICE", "SITE", "PLAN", ">DOWN", ">UP", "OPENED", "ENDED"),
        [
            (
                line["mac"],
                line["site_id"],
                line["plan_id"] or words.NOTHING,
                words.volume(line["down_bytes"]),
                words.volume(line["up_bytes"]),
                words.moment(line["opened_at"]),
                line["closed_reason"] or words.NOTHING,
            )
            for line in lines
        ],
    )
    if not lines:
        desk.screen.say("Nobody is online." if not closed else "No session yet.")


SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")]
Device = Annotated[str, typer.Argument(metavar="MAC", help="The device's address.")]
AtSite = Annotated[str | None, typer.Option("--site", help="Only there; else everywhere.")]


@taught(
    app,
    "disconnect",
    "lango session disconnect 3f2c…",
    "lango session disconnect 3f2c… --json",
)
def disconnect(ctx: typer.Context, session: SessionId, *, json: Json = False) -> None:
    """Take a session's device off its grant, at once. Again changes nothing."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/sessions/{session}/disconnect")
    if json:
        desk.screen.json("disconnected", done)
        return
    desk.screen.say(f"{done['mac']} is disconnected.")
    desk.screen.say(f"To undo it: lango grant add-device {done['grant_id']} {done['mac']}")


@taught(
    app,
    "move",
    "lango session move 3f2c… 02:00:00:00:00:02",
    "lango session move 3f2c… 02:00:00:00:00:02 --json",
)
def move(ctx: typer.Context, session: SessionId, device: Device, *, json: Json = False) -> None:
    """Let another device use what a session's device has."""
    desk = desk_of(ctx)
    done = desk.api.post(f"/api/v1/sessions/{session}/move", {"device_mac": device})
    if json:
        desk.screen.json("grant", done)
    else:
        desk.screen.say(f"May use it: {', '.join(done['devices'])}")


@taught(
    app,
    "block",
    "lango session block 02:00:00:00:00:02 --site estate-1 --reason 'sells it on'",
    "lango session block 02:00:00:00:00:02 --reason stolen --json",
)
def block(
    ctx: typer.Context,
    device: Device,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    site: AtSite = None,
    json: Json = False,
) -> None:
    """Let a device do nothing, whatever was paid; it stays so until it is unblocked."""
    desk = desk_of(ctx)
    asked = {"mac": device, "site_id": site, "reason": reason}
    done = desk.api.post("/api/v1/devices/block", asked)
    if json:
        desk.screen.json("blocked", done)
    else:
        places = ", ".join(one["site_id"] or "every site" for one in done["data"])
        desk.screen.say(f"Blocked at {places}.")


@taught(
    app,
    "unblock",
    "lango session unblock 02:00:00:00:00:02 --site estate-1",
    "lango session unblock 02:00:00:00:00:02 --json",
)
def unblock(ctx: typer.Context, device: Device, *, site: AtSite = None, json: Json = False) -> None:
    """Let a device have again what it owns, where it was blocked."""
    desk = desk_of(ctx)
    done = desk.api.post("/api/v1/devices/unblock", {"mac": device, "site_id": site})
    if json:
        desk.screen.json("unblocked", done)
    else:
        desk.screen.say("Unblocked." if done["was_blocked"] else "It was not blocked there.")
