"""What works on this machine without the API: run, trial, config, db."""

import asyncio
import gc
import json as jsonlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as _version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.desk import Config, Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Fault, WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.choices import Choices
    from controller.cli.screen import Screen
    from controller.config import Settings

DEFAULT = "default"
TRIAL_DIR = Path("var/trial")

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="The configuration of a controller here.")
db = typer.Typer(no_args_is_help=True, help="The database of a controller here.")


@taught(
    app,
    "run",
    "lango run",
    "lango run --config /etc/lango/controller.toml",
)
def run(
    config_file: Config = None,
    port: Annotated[int | None, typer.Option(help="HTTP port instead of the configured.")] = None,
) -> None:
    """Run the controller until told to stop."""
    gc.disable()  # what is imported stays: to look for dead objects in it, now or later, is no use
    from controller.main import run_controller

    gc.freeze()
    gc.enable()
    overrides = {} if port is None else {"http": {"port": port}}
    code = run_controller(*_at_start(config_file, overrides))
    # All is closed. To take the interpreter apart as well costs more than a second of processor.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@taught(
    app,
    "trial",
    "lango trial",
    "sudo lango trial --devices 8",
)
def trial(
    state_dir: Annotated[Path, typer.Option(help="Where it keeps its state and logs.")] = TRIAL_DIR,
    devices: Annotated[int, typer.Option(min=1, max=50, help="Simulated devices.")] = 4,
    *,
    empty: Annotated[
        bool, typer.Option("--empty", help="Nothing is set up: begin with the set-up.")
    ] = False,
    lab: Annotated[
        bool | None,
        typer.Option(help="The site in network namespaces (needs root); else a memory plane."),
    ] = None,
) -> None:
    """The whole product on this machine, with a simulated M-PESA. Ctrl-C stops everything."""
    from controller.sandbox.rig import RigPlan
    from controller.sandbox.trial import TrialFailed
    from controller.sandbox.trial import trial as run_trial

    try:
        asyncio.run(run_trial(RigPlan(state_dir=state_dir, lab=lab, devices=devices, empty=empty)))
    except TrialFailed as failed:
        what, next_step = "the trial cannot go on", failed.next_step
        raise Fault(what, why=str(failed), next_step=next_step) from failed


@taught(
    config,
    "check",
    "lango config check",
    "lango config check --config controller.toml",
)
def check_config(ctx: typer.Context, config_file: Config = None) -> None:
    """Read the configuration and name every fault in it. Changes nothing."""
    screen = desk_of(ctx).screen
    settings, choices = _as_far_as_known(screen, config_file)
    for key, origin in _origins(settings, choices).items():
        if origin != DEFAULT:
            screen.say(f"{key}: {origin}")
    screen.say("The configuration is good.")


@taught(
    config,
    "show",
    "lango config show",
    "lango config show --config controller.toml --json",
)
def show_config(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """Show the settings that hold and where each comes from, without the secrets."""
    settings, choices = _as_far_as_known(desk_of(ctx).screen, config_file)
    shown = settings.model_dump(mode="json")
    if settings.database.url is not None:
        shown["database"]["url"] = f"{settings.database.url.partition('://')[0]}://…"
    told_by = _origins(settings, choices)
    if json:
        desk_of(ctx).screen.json("config", {**shown, "told_by": told_by})
        return
    desk_of(ctx).screen.fields(
        [
            (name, jsonlib.dumps(value, ensure_ascii=False) + _said_by(told_by[name]))
            for name, value in _flat(shown)
        ]
    )


def _origins(settings: "Settings", choices: "Choices") -> "Mapping[str, str]":
    from controller.choices import origins

    keys = [name for name, _ in _flat(settings.model_dump(mode="json"))]
    return origins(choices.fixed, settings, keys)


def _said_by(origin: str) -> str:
    return "" if origin == DEFAULT else f"  ({origin})"


@taught(
    config,
    "forget",
    "lango config forget sms",
    "lango config forget mpesa --config /etc/lango/controller.toml",
)
def forget_chosen(
    ctx: typer.Context,
    section: Annotated[str, typer.Argument(help="mpesa, sms or http.")],
    config_file: Config = None,
) -> None:
    """Forget what was chosen on screen for a section. A controller that runs takes it over."""
    from controller.choices import CHOOSABLE, has_choices, whereabouts
    from controller.config import read_fixed
    from controller.store.chosen import forget_here

    names = sorted(name for name in CHOOSABLE if name.startswith(f"{section}."))
    if not names:
        raise WrongUse(f"nothing of {section!r} is chosen on screen", next_step="lango config show")
    with _choices_read(), _faults_told():
        place = whereabouts(read_fixed(config_file))
        gone = forget_here(place.database_url, names) if has_choices(place) else 0
    desk_of(ctx).screen.say(f"{gone} chosen setting(s) of {section} are forgotten.")


@taught(
    db,
    "upgrade",
    "lango db upgrade",
    "lango db upgrade --config controller.toml",
)
def upgrade_db(ctx: typer.Context, config_file: Config = None) -> None:
    """Bring the database to this version's tables. Repeating changes nothing."""
    from controller.noc.views import UNREADABLE
    from controller.store.migrations import upgrade

    settings = settings_from(config_file)
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        upgrade(settings.database_url)
    except UNREADABLE as error:
        raise Fault(
            "the database could not be upgraded",
            why=str(error).splitlines()[0],
            next_step="lango doctor",
        ) from error
    desk_of(ctx).screen.say(f"The database is ready for lango {_version('lango')}.")


def settings_from(path: Path | None) -> "Settings":
    """The settings that hold on this machine, or a fault that names all of theirs.

    Where the database does not answer, what was chosen on screen is left out.
    """
    return _as_far_as_known(None, path)[0]


def _as_far_as_known(screen: "Screen | None", path: Path | None) -> "tuple[Settings, Choices]":
    from controller.choices import Choices, at_start
    from controller.config import read_fixed, settled
    from controller.store.chosen import ChoicesUnreadable

    with _faults_told():
        fixed = read_fixed(path)
        try:
            return at_start(fixed)
        except ChoicesUnreadable as error:
            if screen is not None:
                screen.say(f"What was chosen on screen cannot be read: database.url: {error}")
            return settled(fixed), Choices(fixed)


def _at_start(
    path: Path | None, overrides: dict[str, Any] | None = None
) -> "tuple[Settings, Choices]":
    from controller.choices import at_start
    from controller.config import read_fixed

    with _choices_read(), _faults_told():
        return at_start(read_fixed(path, overrides))


@contextmanager
def _choices_read() -> Iterator[None]:
    from controller.store.chosen import ChoicesUnreadable

    try:
        yield
    except ChoicesUnreadable as error:
        raise Fault(
            "what was chosen on screen cannot be read",
            why=f"database.url: {error}",
            next_step="lango doctor",
        ) from error


@contextmanager
def _faults_told() -> Iterator[None]:
    from controller.config import ConfigFaults

    try:
        yield
    except ConfigFaults as faults:
        raise WrongUse(
            f"the configuration has {len(faults.faults)} fault(s)",
            why="\n        ".join(faults.faults),
            next_step="mend each, then `lango config check`",
        ) from faults


def _flat(tree: dict[str, Any], under: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += _flat(value, f"{under}{name}.")
        else:
            found.append((f"{under}{name}", value))
    return found
