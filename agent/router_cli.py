"""``lango-agent router``: let this machine into a MikroTik router, and read what is on one."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import re
import secrets
import sys
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config as configs
from agent import identity as identities
from agent import router as routers
from agent import sealing
from agent.network import files
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from agent.config import Config
    from agent.router import RouterOs
    from shaping.routeros.adoption import Adoption

OK, ERROR, USAGE = 0, 1, 2
PASSWORD_FILE = "router.password"  # noqa: S105 - a file's name
READ_S = 300.0
"""Ten thousand hotspot users take a small router minutes."""

_PORTAL = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_INTERFACE = re.compile(r"[^\s,!=\x00-\x1f\"\\$]{1,64}")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", type=Path, default=configs.DEFAULT_PATH, help="default: %(default)s"
    )
    shared.add_argument("--router", metavar="NAME", help="which, where a site has several")
    router = commands.add_parser("router", help="the MikroTik router of this site")
    verbs = router.add_subparsers(required=True, metavar="VERB")
    adopt = verbs.add_parser(
        "adopt", parents=[shared], help="the line to paste into the router, once"
    )
    adopt.add_argument("--agent", help="this machine's address, as the router reaches it")
    adopt.add_argument("--lan", action="append", help="an interface with devices; may repeat")
    adopt.add_argument("--wan", default="ether1", help="nobody is let in there: %(default)s")
    adopt.add_argument("--routeros", type=int, choices=(6, 7), default=7, help="which version")
    adopt.add_argument("--portal", help="the portal's name in the router's DNS; '' for none")
    may_see = "the router keeps PPPoE secrets, which the agent's user may see then"
    adopt.add_argument("--pppoe-secrets", action="store_true", help=may_see)
    adopt.add_argument("--minutes", type=int, default=10, help="undone after: %(default)s")
    adopt.add_argument("--look", action="store_true", help="a line that only says what it would do")
    adopt.add_argument("--file", type=Path, help="write a script for /import instead of a line")
    adopt.set_defaults(command=_adopt)
    confirm = verbs.add_parser(
        "confirm", parents=[shared], help="sign in, so that nothing is undone"
    )
    confirm.set_defaults(command=_confirm)
    read = verbs.add_parser("read", parents=[shared], help="users, plans and queues, for an import")
    read.add_argument("--user", help="sign in as this administrator; asks for the password")
    told = "with the passwords of those who dial in, sealed for the controller; wants --user"
    read.add_argument("--passwords", action="store_true", help=told)
    read.set_defaults(command=_read)


def _adopt(config: Config, options: argparse.Namespace) -> int:
    """Say what to paste. The password is made here, kept here, and stands in it."""
    from shaping.routeros import adoption

    config = _with_one(config, options)
    faults = list(_faults(config, options))
    for fault in faults:
        _complain(fault)
    if faults:
        return USAGE
    try:
        wish = _wish(config, options)
        if options.file is None:
            sys.stdout.write(f"{adoption.line(wish, options.routeros)}\n")
        else:
            _written(options.file, adoption.script(wish, options.routeros))
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}")
        return ERROR
    _say_next(config, options)
    return OK


def _faults(config: Config, options: argparse.Namespace) -> list[str]:
    from shaping.routeros.adoption import MINUTES_MAX, MINUTES_MIN

    router = _only(config)
    faults = []
    if router is None and options.agent is None:
        faults.append("--agent: want this machine's address, as the router reaches it")
    if options.agent is not None:
        try:
            IPv4Address(options.agent)
        except ValueError:
            faults.append(f"--agent: {options.agent!r} is no IPv4 address")
    lans = options.lan or (router.interfaces if router else ())
    if not lans:
        faults.append("--lan: want an interface of the router, like bridge")
    faults += [
        f"{name}: {value!r} is no interface name"
        for name, value in (*(("--lan", one) for one in lans), ("--wan", options.wan))
        if not _INTERFACE.fullmatch(value)
    ]
    if options.wan in lans:
        faults.append(f"--wan: {options.wan} is a LAN")
    if options.portal and not _PORTAL.fullmatch(options.portal):
        faults.append(f"--portal: {options.portal!r} is no host name")
    if not MINUTES_MIN <= options.minutes <= MINUTES_MAX:
        faults.append(f"--minutes: want {MINUTES_MIN} to {MINUTES_MAX}, got {options.minutes}")
    return faults


def _wish(config: Config, options: argparse.Namespace) -> Adoption:
    """What is asked for, with a password. Raises `OSError`, `PlaneError`."""
    from shaping.routeros.adoption import NAME, Adoption

    router = _only(config)
    lans = options.lan or (router.interfaces if router else ())
    return Adoption(
        agent=IPv4Address(options.agent) if options.agent else _portal(router),
        lans=tuple(dict.fromkeys(lans)),
        wan=options.wan,
        password=kept_password(password_file(config)),
        portal=config.portal_host if options.portal is None else options.portal,
        user=router.user if router else NAME,
        minutes=options.minutes,
        only_look=options.look,
        secrets=options.pppoe_secrets or (router is not None and router.lines is not None),
    )


def _portal(router: RouterOs | None) -> IPv4Address:
    assert router is not None, "looked for before"
    return router.portal


def password_file(config: Config) -> Path:
    """Where the router's password is: where the configuration says, or in the state directory."""
    router = _only(config)
    return config.state_dir / PASSWORD_FILE if router is None else router.password_file


def kept_password(path: Path) -> str:
    """The password of that file, made when there is none. Raises `OSError`, `PlaneError`."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(path, f"{secrets.token_urlsafe(24)}\n")
    return routers.password(path)


def _written(path: Path, text: str) -> None:
    """A file for nobody else, that was not there. Raises `OSError`."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)


def _say_next(config: Config, options: argparse.Namespace) -> None:
    """What to do with it; on stderr, for stdout is what is pasted."""
    kept = password_file(config)
    if options.file is None:
        _tell("Paste this one line into a terminal of the router, as its administrator.")
    else:
        name = options.file.name
        _tell(f"Put {options.file} on the router (Files), then: /import file-name={name}")
    _tell(f"It holds the password that is kept in {kept}: show it to nobody, and delete copies.")
    if options.look:
        _tell("It only says what it would do.")
        return
    _tell(f"The router undoes it in {options.minutes} minutes, unless the agent signs in before:")
    _tell(f"write the sha256 that the router printed into {options.config},")
    _tell("as fingerprint of [routeros], then")
    _tell("  lango-agent router confirm")


def _confirm(config: Config, options: argparse.Namespace) -> int:
    """Sign in over TLS and tell the router so. Raises `PlaneError`."""
    from shaping.routeros import adoption

    router = _must_have(_with_one(config, options))
    if router.fingerprint is None:
        _complain("routeros.tls: only a sign-in over TLS confirms")
        return USAGE
    lane = routers.lane(router, patience_s=READ_S)
    try:
        is_news = asyncio.run(lane.run(adoption.confirm))
    finally:
        lane.close()
    told = "confirmed: nothing will be undone" if is_news else "signed in; nothing waited for it"
    sys.stdout.write(f"{told}\n")
    return OK


def _read(config: Config, options: argparse.Namespace) -> int:
    """Print what is on the router as JSON. Raises `PlaneError`, `IdentityError`."""
    from agent import router_reading

    if options.passwords and not options.user:
        _complain("--passwords: the agent's own user may not see them; say --user")
        return USAGE
    seal = None
    if options.passwords:
        identity = identities.load(config.state_dir)
        seal = partial(sealing.seal, identity.ca_pem, identity.site_id)
    lane = routers.lane(_must_have(_with_one(config, options)), patience_s=READ_S)
    if options.user:
        lane.router = replace(lane.router, user=options.user, password=_typed())
    try:
        told = asyncio.run(lane.run(partial(router_reading.read, seal=seal)))
    finally:
        lane.close()
    json.dump(told, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
    for menu, why in told["unread"].items():
        _tell(f"{menu} was not read: {why}")
    _tell(
        "Passwords in it can be opened by the controller of this site alone."
        if options.passwords
        else "Passwords are not in it."
    )
    return OK


def _typed() -> str:
    """A password from the terminal or standard input, where no other program can see it."""
    if sys.stdin.isatty():
        return getpass.getpass("password: ", sys.stderr)
    return sys.stdin.readline(routers.PASSWORD_CHARS_MAX + 1).rstrip("\r\n")


def _must_have(config: Config) -> RouterOs:
    router = _only(config)
    if router is None:
        raise PlaneError("the configuration has no [routeros]", retry=False)
    return router


def _only(config: Config) -> RouterOs | None:
    return config.routers[0] if config.routers else None


def _with_one(config: Config, options: argparse.Namespace) -> Config:
    """The configuration with the one router that is meant. Raises `PlaneError` (no retry)."""
    found = tuple(one for one in config.routers if options.router in (None, one.name))
    if len(found) == 1 or not config.routers:
        return replace(config, routers=found)
    names = ", ".join(one.name for one in config.routers)
    raise PlaneError(f"--router: want one of {names}", retry=False)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _complain(text: str) -> None:
    _tell(f"lango-agent: {text}")
