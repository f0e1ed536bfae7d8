"""What works on this machine without the API: run, trial, config, db."""

import asyncio
import json as jsonlib
import os
import sys
from importlib.metadata import version as _version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.desk import Config, Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Fault, WrongUse

if TYPE_CHECKING:
    from controller.config import Settings

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
    from controller.main import run_controller

    overrides = {} if port is None else {"http": {"port": port}}
    code = run_controller(settings_from(config_file, overrides))
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
        asyncio.run(run_trial(RigPlan(state_dir=state_dir, lab=lab, devices=devices)))
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
    settings_from(config_file)
    desk_of(ctx).screen.say("The configuration is good.")


@taught(
    config,
    "show",
    "lango config show",
    "lango config show --config controller.toml --json",
)
def show_config(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """Show the settings that hold, without the secrets."""
    settings = settings_from(config_file)
    shown = settings.model_dump(mode="json")
    if settings.database.url is not None:
        shown["database"]["url"] = f"{settings.database.url.partition('://')[0]}://…"
    if json:
        desk_of(ctx).screen.json("config", shown)
        return
    desk_of(ctx).screen.fields(
        [(name, jsonlib.dumps(value, ensure_ascii=False)) for name, value in _flat(shown)]
    )


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


def settings_from(path: Path | None, overrides: dict[str, Any] | None = None) -> "Settings":
    """The settings, or a fault that names all of theirs."""
    from controller.config import ConfigFaults, load_settings

    try:
        return load_settings(path, overrides)
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
