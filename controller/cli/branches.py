"""``lango branch``: branches of the operator."""

from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.desk import Json, Limit, desk_of
from controller.cli.examples import taught

app = typer.Typer(
    no_args_is_help=True, help="Branches: their prices, their header on documents, their reports."
)

BranchId = Annotated[str, typer.Argument(metavar="BRANCH", help="The branch's id.")]
Address = Annotated[str | None, typer.Option(help="On its documents.")]
Phone = Annotated[str | None, typer.Option(help="On its documents.")]
Email = Annotated[str | None, typer.Option(help="On its documents.")]
KraBranch = Annotated[str | None, typer.Option(help="At KRA: 00 for the head office, 01, …")]


@taught(app, "list", "lango branch list", "lango branch list --json")
def list_branches(ctx: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    """List the branches."""
    desk = desk_of(ctx)
    lines = desk.api.lines("/api/v1/branches", limit=limit)
    if json:
        desk.screen.json("branches", {"data": lines})
        return
    desk.screen.table(
        ("BRANCH", "NAME", "KRA", "PHONE", "ADDRESS"),
        [
            (
                line["id"],
                line["name"],
                line["kra_branch"],
                line["phone"] or words.NOTHING,
                line["address"] or words.NOTHING,
            )
            for line in lines
        ],
    )


@taught(app, "show", "lango branch show main", "lango branch show main --json")
def show_branch(ctx: typer.Context, branch: BranchId, *, json: Json = False) -> None:
    """Show one branch."""
    _show(ctx, desk_of(ctx).api.get(f"/api/v1/branches/{branch}"), json=json)


@taught(
    app,
    "add",
    'lango branch add thika --name Thika --address "Kenyatta Hwy 4" --kra-branch 01',
    "lango branch add nakuru --name Nakuru --json",
)
def add_branch(
    ctx: typer.Context,
    branch: BranchId,
    *,
    name: Annotated[str, typer.Option(help="What people call it.")],
    address: Address = None,
    phone: Phone = None,
    email: Email = None,
    kra_branch: KraBranch = None,
    json: Json = False,
) -> None:
    """Make a branch. The same again changes nothing."""
    said = {"address": address, "phone": phone, "email": email, "kra_branch": kra_branch}
    body = {"id": branch, "name": name, **{k: v for k, v in said.items() if v is not None}}
    _show(ctx, desk_of(ctx).api.post("/api/v1/branches", body), json=json)


@taught(
    app,
    "change",
    "lango branch change thika --phone 0712345678",
    "lango branch change main --name Nairobi --kra-branch 00",
)
def change_branch(
    ctx: typer.Context,
    branch: BranchId,
    *,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    address: Address = None,
    phone: Phone = None,
    email: Email = None,
    kra_branch: KraBranch = None,
    json: Json = False,
) -> None:
    """Change a branch; what is not said stays. Issued documents stay as they are."""
    body = {
        "name": name,
        "address": address,
        "phone": phone,
        "email": email,
        "kra_branch": kra_branch,
    }
    _show(ctx, desk_of(ctx).api.post(f"/api/v1/branches/{branch}", body), json=json)


@taught(
    app,
    "move-site",
    "lango branch move-site thika estate-1",
    "lango branch move-site main estate-1 --json",
)
def move_site(
    ctx: typer.Context,
    branch: BranchId,
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    *,
    json: Json = False,
) -> None:
    """Let a site belong to a branch; what it earns from now on is that branch's."""
    desk = desk_of(ctx)
    moved = desk.api.post(f"/api/v1/sites/{site}/branch", {"branch_id": branch})
    if json:
        desk.screen.json("site", moved)
    else:
        desk.screen.say(f"{moved['name']} belongs to branch {moved['branch_id']}.")


def _show(ctx: typer.Context, found: dict[str, Any], *, json: bool) -> None:
    screen = desk_of(ctx).screen
    if json:
        screen.json("branch", found)
    else:
        screen.fields(words.fields(found))
