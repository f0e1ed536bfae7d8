"""``lango staff``: who works here, as what, at which branches."""

from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Missing

app = typer.Typer(
    no_args_is_help=True,
    help="The staff: roles owner, admin, billing, support, technician, cashier, read_only.",
)

Member = Annotated[str, typer.Argument(metavar="STAFF", help="The id, or the login.")]
Branches = Annotated[
    list[str] | None, typer.Option("--branch", help="Only this branch; may be repeated.")
]
Role = Annotated[str, typer.Option(help="What they are employed for.")]


@taught(app, "list", "lango staff list", "lango staff list --json")
def list_staff(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the staff."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/staff", limit=limit)
    if json:
        desk.screen.json("staff", {"data": lines})
        return
    desk.screen.table(
        ("LOGIN", "NAME", "ROLE", "BRANCHES", "STATE", "LAST"),
        [
            (
                line["login"],
                line["name"],
                line["role"],
                _branches(line),
                _state(line),
                words.moment(line["signed_in_at"]),
            )
            for line in lines
        ],
    )


@taught(
    app, "show", "lango staff show juma@isp.example", "lango staff show juma@isp.example --json"
)
def show_staff(ctx: typer.Context, member: Member, *, json: Json = False) -> None:
    """Show one member of staff."""
    _show(ctx, _found(ctx, member), json=json)


@taught(
    app,
    "add",
    'lango staff add juma@isp.example --name "Juma Otieno" --role cashier --branch thika',
    'lango staff add 0722000111 --name "Achieng" --role technician --json',
)
def add_staff(
    ctx: typer.Context,
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Their e-mail or phone.")],
    *,
    name: Annotated[str, typer.Option(help="What people call them.")],
    role: Role,
    branch: Branches = None,
    language: Annotated[str, typer.Option(help="en or sw.")] = "en",
    json: Json = False,
) -> None:
    """Take somebody on; prints the link (3 days, one use) by which they choose a password."""
    body = {
        "login": login,
        "name": name,
        "role": role,
        "branches": branch or None,
        "language": language,
    }
    _invited(ctx, desk_of(ctx).api.post("/api/v1/staff", body), json=json)


@taught(
    app,
    "role",
    "lango staff role juma@isp.example billing",
    "lango staff role juma@isp.example support --branch thika --branch ruiru",
)
def set_role(
    ctx: typer.Context,
    member: Member,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="What they are from now on.")],
    *,
    branch: Branches = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Every branch.")] = False,
    json: Json = False,
) -> None:
    """Give somebody another role, or other branches; they sign in again."""
    body: dict[str, Any] = {"role": role}
    if branch or everywhere:
        body["branches"] = branch or []
    path = f"/api/v1/staff/{_found(ctx, member)['id']}"
    _show(ctx, desk_of(ctx).api.post(path, body), json=json)


@taught(app, "disable", "lango staff disable juma@isp.example", "lango staff disable 4f2… --json")
def disable(ctx: typer.Context, member: Member, *, json: Json = False) -> None:
    """Let somebody in no more; their sessions and API tokens end at once."""
    _set(ctx, member, disabled=True, json=json)


@taught(app, "enable", "lango staff enable juma@isp.example", "lango staff enable 4f2… --json")
def enable(ctx: typer.Context, member: Member, *, json: Json = False) -> None:
    """Let somebody in again."""
    _set(ctx, member, disabled=False, json=json)


@taught(app, "reset", "lango staff reset juma@isp.example", "lango staff reset 4f2… --json")
def reset(ctx: typer.Context, member: Member, *, json: Json = False) -> None:
    """Forget somebody's password and factors; prints a new link to come in by."""
    path = f"/api/v1/staff/{_found(ctx, member)['id']}/reset"
    _invited(ctx, desk_of(ctx).api.post(path), json=json)


def _set(ctx: typer.Context, member: str, *, disabled: bool, json: bool) -> None:
    path = f"/api/v1/staff/{_found(ctx, member)['id']}"
    _show(ctx, desk_of(ctx).api.post(path, {"disabled": disabled}), json=json)


def _found(ctx: typer.Context, member: str) -> dict[str, Any]:
    """Whoever has this id or login. Phones are masked in lists, so they are named by id."""
    api = desk_of(ctx).api
    if "@" not in member:
        return api.get(f"/api/v1/staff/{member}")
    for line in api.lines("/api/v1/staff", limit=10_000):
        if line["login"] == member.lower():
            return line
    raise Missing(f"there is no member of staff {member}", next_step="lango staff list")


def _branches(line: dict[str, Any]) -> str:
    return "all" if line["branches"] is None else " ".join(line["branches"])


def _state(line: dict[str, Any]) -> str:
    if line["disabled_at"]:
        return "disabled"
    return "active" if line["has_accepted"] else "invited"


def _invited(ctx: typer.Context, made: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("invited", made)
        return
    screen.line(made["url"])
    until = words.moment(made["expires_at"])
    screen.say(f"Pass this link to {made['staff']['name']} alone; it works once, until {until}.")


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("member", found)
        return
    shown = {**found, "branches": _branches(found), "state": _state(found)}
    for hidden in ("has_accepted", "disabled_at"):
        del shown[hidden]
    screen.fields(words.fields(shown))
