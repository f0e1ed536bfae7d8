"""The ``lango-agent`` command.

Exit codes: 0 well, 1 an error, 2 wrong usage or configuration, 6 somebody cannot be reached, 7 it
works, but not all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from agent import config as configs
from agent import doctor, log, small, status
from agent import identity as identities
from agent.clock import SystemClock
from agent.config import Config, ConfigFaults
from agent.findings import Verdict
from agent.identity import IdentityError
from agent.journal import JournalError
from agent.network import cli as network_cli
from agent.probes import cli as probes_cli
from agent.uplink.seam import UplinkError, UplinkRefused
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, ERROR, USAGE, UNREACHABLE, DEGRADED = 0, 1, 2, 6, 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code."""
    options = _parser().parse_args(arguments)
    log.to_stderr()
    try:
        return _carried_out(options)
    except ConfigFaults as wrong:
        for fault in wrong.faults:
            _complain(fault)
        return USAGE
    except (IdentityError, JournalError, PlaneError, UplinkRefused) as error:
        _complain(str(error))
        return ERROR
    except UplinkError as error:
        _complain(str(error))
        return UNREACHABLE


def _carried_out(options: argparse.Namespace) -> int:
    if options.command is _run:
        places = options.configs or [configs.DEFAULT_PATH]
        if len(places) > 1 or places[0].is_dir():
            return _host(places, options)
        (options.config,) = places
    return int(options.command(configs.load(options.config), options))


def _join(config: Config, options: argparse.Namespace) -> int:
    try:
        token = identities.parse_token(_piped() if options.token is None else options.token)
    except IdentityError as wrong:
        _complain(str(wrong))
        return USAGE
    known = config.state_dir / identities.FILE
    if known.exists() and not options.replace:
        _complain(f"this machine has joined already ({known}); --replace joins it anew")
        return ERROR
    if options.dry_run:
        _say(f"would make a key, spend the token at {token.address}, and write {known}")
        return OK
    before = identities.load(config.state_dir).site_id if known.exists() else None
    identity = asyncio.run(identities.join(token, config.state_dir))
    if before not in {None, identity.site_id}:
        _set_aside(config.state_dir, str(before))
    _say(f"joined as site {identity.site_id}; controller at {identity.edge_address}")
    return OK


def _renew(config: Config, _: argparse.Namespace) -> int:
    identity = asyncio.run(identities.renew(identities.load(config.state_dir), config.state_dir))
    _say(f"renewed for site {identity.site_id} until {identity.valid_until:%Y-%m-%d %H:%M} UTC")
    return OK


def _run(config: Config, options: argparse.Namespace) -> int:
    small.one_heap()
    # Deferred: the other commands need neither the portal nor its server.
    from agent import running

    if not options.dry_run:
        config = configs.with_secrets(config)
        asyncio.run(running.run(running.ConfigFile(options.config, config), dry_run=False))
        return OK
    with TemporaryDirectory(prefix="lango-dry-run-") as folder:
        pretended = replace(config, plane="memory", state_dir=Path(folder), radius=None)
        _say(f"dry run: portal at http://127.0.0.1:{config.portal_port}/, nothing else is touched")
        asyncio.run(running.run(running.ConfigFile(options.config, pretended), dry_run=True))
    return OK


def _host(places: Sequence[Path], options: argparse.Namespace) -> int:
    """Run several sites in this process."""
    small.one_heap()
    # Deferred, as for one site.
    from agent import hosting

    files = hosting.read(places)
    if options.dry_run:
        _say(f"would run {len(files)} sites: {', '.join(str(one.path) for one in files)}")
        return OK
    asyncio.run(hosting.run(places, files, clock=SystemClock()))
    return OK


def _status(config: Config, options: argparse.Namespace) -> int:
    values = status.read(config.state_dir, now=SystemClock().now().wall)
    if values is None:
        _complain("no agent is running here")
        return UNREACHABLE
    if options.json:
        _say(json.dumps(values))
    else:
        for key, value in values.items():
            _say(status.line(key, value, colours=sys.stdout.isatty()))
    return DEGRADED if status.degraded(values) else OK


def _doctor(config: Config, options: argparse.Namespace) -> int:
    findings = asyncio.run(doctor.examine(config, SystemClock().now()))
    if options.json:
        _say(json.dumps([asdict(one) for one in findings]))
    else:
        doctor.printed(findings, sys.stdout.write, colours=sys.stdout.isatty())
    failed = {one.check for one in findings if one.verdict is Verdict.FAIL}
    if failed:
        return UNREACHABLE if failed == {"controller"} else ERROR
    return DEGRADED if any(one.verdict is Verdict.WARN for one in findings) else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lango-agent", description="Keeps one site working.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", type=Path, default=configs.DEFAULT_PATH, help="default: %(default)s"
    )
    join = commands.add_parser("join", parents=[shared], help="enrol this machine with a token")
    told = "the join token that the operator made for this site; without it, standard input"
    join.add_argument("token", nargs="?", help=told)
    join.add_argument("--dry-run", action="store_true", help="say what would be done")
    join.add_argument("--replace", action="store_true", help="give up an earlier enrolment")
    join.set_defaults(command=_join)
    run = commands.add_parser("run", help="run the site, or several")
    run.add_argument(
        "--config",
        dest="configs",
        type=Path,
        action="append",
        metavar="CONFIG",
        help=f"default: {configs.DEFAULT_PATH}; again for each of several sites, or their folder",
    )
    run.add_argument("--dry-run", action="store_true", help="run on a pretended box and controller")
    run.set_defaults(command=_run)
    renew = commands.add_parser("renew", parents=[shared], help="get a fresh certificate now")
    renew.set_defaults(command=_renew)
    show = commands.add_parser("status", parents=[shared], help="how the running agent is")
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(command=_status)
    examine = commands.add_parser("doctor", parents=[shared], help="what is wrong here")
    examine.add_argument("--json", action="store_true", help="for programs")
    examine.set_defaults(command=_doctor)
    network_cli.add(commands)
    probes_cli.add(commands)
    return parser


def _set_aside(state_dir: Path, site_id: str) -> None:
    """Another site's journal is kept, under that site's name."""
    journal = state_dir / "journal.db"
    for path in (journal, Path(f"{journal}-wal"), Path(f"{journal}-shm")):
        if path.exists():
            path.rename(path.with_name(f"{site_id}-{path.name}"))


def _piped() -> str:
    """A token from standard input, where no other program of this machine can see it."""
    if sys.stdin.isatty():
        sys.stderr.write("token: ")
        sys.stderr.flush()
    return sys.stdin.readline(identities.TOKEN_LENGTH_MAX + 1)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"lango-agent: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
