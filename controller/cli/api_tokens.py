"""``lango api-token``: keys for programs, each with a role of its own."""

from typing import Annotated

import typer

from controller.cli import words
from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Keys for programs, with a role and branches of their own."
)


@taught(app, "list", "lango api-token list", "lango api-token list --json")
def list_tokens(ctx: typer.Context, *, json: Json = False) -> None:
    """List the keys that you may see, without the keys themselves."""
    desk = desk_of(ctx)
    lines = desk.api.get("/api/v1/api-tokens")["data"]
    if json:
        desk.screen.json("api-tokens", {"data": lines})
        return
    desk.screen.table(
        ("TOKEN", "NAME", "ROLE", "BRANCHES", "USED", "ENDS"),
        [
            (
                line["id"],
                line["name"],
                line["role"],
                "all" if line["branches"] is None else " ".join(line["branches"]),
                words.day(line["used_at"]),
                words.day(line["expires_at"]),
            )
            for line in lines
        ],
    )


@taught(
    app,
    "make",
    'lango api-token make "Grafana" --role read_only --days 365',
    'lango api-token make "Till at Thika" --role cashier --branch thika --json',
)
def make_token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    role: Annotated[str | None, typer.Option(help="Its role; your own unless said.")] = None,
    branch: Annotated[
        list[str] | None, typer.Option("--branch", help="Only this branch; may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="Until it ends.")] = 90,
    json: Json = False,
) -> None:
    """Make a key, on the controller's own machine; it is printed this once.

    People make theirs at /noc/me.
    """
    desk = desk_of(ctx)
    body = {"name": name, "role": role, "branches": branch or None, "days": days}
    made = desk.api.post("/api/v1/api-tokens", body)
    if json:
        desk.screen.json("api-token", made)
        return
    desk.screen.line(made["token"])
    desk.screen.say("Keep it now: it is not shown again.")


@taught(
    app,
    "revoke",
    "lango api-token revoke 4f2d0c1e9a8b7c6d5e4f3a2b1c0d9e8f",
    "lango api-token revoke 4f2d0c1e9a8b7c6d5e4f3a2b1c0d9e8f --json",
)
def revoke_token(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id.")],
    *,
    json: Json = False,
) -> None:
    """Let a key open nothing any more, at once."""
    desk = desk_of(ctx)
    left = desk.api.post(f"/api/v1/api-tokens/{token}/revoke")
    if json:
        desk.screen.json("api-tokens", left)
    else:
        desk.screen.say("It opens nothing any more.")
