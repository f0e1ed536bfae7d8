"""``lango login``, ``logout``, ``setup-url``: how people and machines get in."""

import platform
from typing import Annotated

import typer

from controller.cli.client import Api
from controller.cli.desk import Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import WrongUse
from controller.cli.stored import store_token, where

app = typer.Typer()

Url = Annotated[str | None, typer.Argument(metavar="URL", help="The controller; else --url.")]


@taught(
    app,
    "login",
    "lango login https://noc.isp.example",
    "lango login https://noc.isp.example --token < token.txt",
)
def login(
    ctx: typer.Context,
    url: Url = None,
    *,
    token: Annotated[
        bool, typer.Option("--token", help="Read an API token from standard input instead.")
    ] = False,
) -> None:
    """Sign in to a controller elsewhere; the key is kept for you alone (90 days, mode 0600).

    Asks for e-mail or phone, password, and a code of the authenticator app. With passkeys only,
    make an API token on the page of your account and give it with --token.
    """
    desk = desk_of(ctx)
    there = (url or desk.url).rstrip("/")
    if not there.startswith(("https://", "http://")):
        raise WrongUse(f"{there} is no address", next_step="lango login https://noc.isp.example")
    if token:
        secret = typer.get_text_stream("stdin").read().strip()
        if not secret:
            raise WrongUse("there is no token on standard input")
    else:
        secret = _asked(there)
    Api(url=there, key=secret).get("/api/v1/operator")
    store_token(there, secret)
    desk.screen.say(f"Signed in to {there}; the key is in {where()}.")


def _asked(there: str) -> str:
    api = Api(url=there, key="")
    name = typer.prompt("E-mail or phone", err=True)
    password = typer.prompt("Password", hide_input=True, err=True)
    step = api.post("/api/sign-in", {"login": name, "password": password})["step"]
    code = typer.prompt("Code of the authenticator app, or a recovery code", err=True)
    machine = f"lango on {platform.node()[:60] or 'a machine'}"
    made = api.post("/api/sign-in/code", {"step": step, "code": code, "name": machine})
    return str(made["token"])


@taught(app, "logout", "lango logout https://noc.isp.example", "lango logout")
def logout(ctx: typer.Context, url: Url = None) -> None:
    """Forget the key that was kept for a controller. Revoke it with `lango api-token revoke`."""
    desk = desk_of(ctx)
    there = (url or desk.url).rstrip("/")
    store_token(there, None)
    desk.screen.say(f"No key is kept for {there}.")


@taught(app, "setup-url", "lango setup-url", "lango setup-url --json")
def setup_url(ctx: typer.Context, *, json: Json = False) -> None:
    """Print the link by which you become the first owner: 30 minutes, one use."""
    desk = desk_of(ctx)
    made = desk.api.post("/api/v1/staff/setup-url")
    if json:
        desk.screen.json("setup", made)
        return
    desk.screen.line(made["url"])
    desk.screen.say("Open it within 30 minutes; it works once. Do not pass it on.")
