"""``lango-agent network``: look at the site's network, and change its numbers without a risk."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from ipaddress import AddressValueError, IPv4Interface, NetmaskValueError
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config as configs
from agent.clock import SystemClock
from agent.network import change, dnsmasq, edit, files, situation
from agent.network.change import ChangeRefused, Place, Wish
from agent.network.dnsmasq import DnsmasqError

if TYPE_CHECKING:
    from agent.config import Config
    from agent.network.plan import Network
    from agent.network.trial import Trial

OK, ERROR, USAGE = 0, 1, 2
SECONDS_PER_MINUTE = 60


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", type=Path, default=configs.DEFAULT_PATH, help="default: %(default)s"
    )
    network = commands.add_parser("network", help="the LAN's addresses and names")
    verbs = network.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, told: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, parents=[shared], help=told)

    show = verb("show", "how the LAN is numbered, and what is being tried")
    show.set_defaults(command=_show)
    attempt = verb("try", "change the LAN's numbers; they go back unless confirmed")
    attempt.add_argument("--address", metavar="10.0.0.1/24", help="the gateway's address")
    attempt.add_argument("--range", metavar="FIRST-LAST", help="addresses for devices")
    length = attempt.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=int, default=5, help="default: %(default)s")
    length.add_argument("--seconds", type=int, help="instead of --minutes")
    attempt.add_argument("--dry-run", action="store_true", help="only say what it would mean")
    attempt.set_defaults(command=_try)
    verb("confirm", "keep what is being tried").set_defaults(command=_confirm)
    revert = verb("revert", "take back what is being tried")
    revert.add_argument("--only-due", metavar="ID", help=argparse.SUPPRESS)
    revert.set_defaults(command=_revert)
    verb("ensure", "put the LAN's address if it is missing").set_defaults(command=_ensure)
    verb("stop", "end dnsmasq, which outlives the agent").set_defaults(command=_stop)


def parsed(options: argparse.Namespace) -> Wish:
    """What is asked for. Raises `ChangeRefused` with every option that cannot be read."""
    wrong: list[str] = []
    address, first, last = None, None, None
    if options.address is not None:
        try:
            address = IPv4Interface(options.address)
        except (AddressValueError, NetmaskValueError, ValueError):
            wrong.append(f"--address: {options.address!r} is not like 10.0.0.1/24")
        else:
            if "/" not in options.address:
                wrong.append(f"--address: {options.address!r} lacks its prefix, like /24")
    if options.range is not None:
        try:
            first, last = configs.address_range(options.range)
        except ValueError:
            wrong.append(f"--range: {options.range!r} is not like 10.0.0.50-10.0.0.250")
    seconds = options.seconds
    if seconds is None:
        seconds = options.minutes * SECONDS_PER_MINUTE
    if wrong:
        raise ChangeRefused(*wrong)
    return Wish(address, first, last, seconds)


def _show(config: Config, options: argparse.Namespace) -> int:
    if (network := _network(config)) is None:
        return ERROR
    now = SystemClock().now()
    try:
        folder = files.folder(config.state_dir)
        trial, leased = situation.pending(folder), situation.leased(folder, now)
        served = situation.served(folder, network, now, by_name=True)
        running = {n: dnsmasq.running(folder, n, t) for n, t in dnsmasq.texts(served).items()}
    except OSError as broken:
        return _complain(f"{config.state_dir}: {broken.strerror}")
    _say(f"gateway: {network.address} on {network.lan}")
    _say(f"addresses for devices: {network.first}-{network.last}, {len(leased)} in use")
    _say(f"name servers upstream: {'answer' if served.link_up else 'do not answer'}")
    for name, process in running.items():
        _say(f"dnsmasq ({name}): {'not running' if process is None else f'pid {process.pid}'}")
    if trial is not None:
        left = trial.left_s(now)
        _say(f"trying: {trial.address}, {trial.first}-{trial.last}; goes back in {left} s")
        _say(f"to keep it: lango-agent network confirm{_config_words(options)}")
    return OK


def _try(config: Config, options: argparse.Namespace) -> int:
    if (network := _network(config)) is None:
        return ERROR
    clock = SystemClock()
    place = Place(config.state_dir, options.config)
    try:
        wish = parsed(options)
        for line in change.previewed(place, network, wish, clock):
            _say(line)
        if options.dry_run:
            return OK
        trial = change.begin(place, network, wish, clock)
    except ChangeRefused as refused:
        for fault in refused.faults:
            _complain(fault)
        return USAGE if any(fault.startswith("--") for fault in refused.faults) else ERROR
    left = trial.left_s(clock.now())
    _say(f"done, for {left} s; it goes back by itself")
    _say(f"to keep it: lango-agent network confirm{_config_words(options)}")
    return OK


def _confirm(config: Config, options: argparse.Namespace) -> int:
    if (network := _network(config)) is None:
        return ERROR
    clock = SystemClock()
    place = Place(config.state_dir, options.config)
    try:
        trial = change.confirmable(place, clock)
        kept = _rewrite(options.config, network, trial)
        change.settle(place, trial, kept, clock)
    except ChangeRefused as refused:
        return _complain(str(refused))
    _say(f"kept, and written to {options.config}")
    if network.address != kept.address:
        _say(
            f"{network.address} stays on {network.lan} for devices that still use it;"
            " take it out of the machine's own network set-up when none does"
        )
    return OK


def _revert(config: Config, options: argparse.Namespace) -> int:
    if (network := _network(config)) is None:
        return ERROR
    place = Place(config.state_dir, options.config)
    try:
        trial = change.take_back(place, network, SystemClock(), only_due=options.only_due)
    except ChangeRefused as refused:
        return _complain(str(refused))
    _say("no change was being tried" if trial is None else f"back to {network.address}")
    return OK


def _ensure(config: Config, options: argparse.Namespace) -> int:
    if (network := _network(config)) is None:
        return ERROR
    try:
        was_missing = change.ensure(Place(config.state_dir, options.config), network)
    except ChangeRefused as refused:
        return _complain(str(refused))
    _say(f"{network.address} {'was put' if was_missing else 'is'} on {network.lan}")
    return OK


def _stop(config: Config, _: argparse.Namespace) -> int:
    try:
        dnsmasq.stop(config.state_dir)
    except DnsmasqError as broken:
        return _complain(str(broken))
    _say("dnsmasq has ended")
    return OK


def _network(config: Config) -> Network | None:
    if config.network is None:
        _complain("network: there is no [network] in the configuration; dnsmasq is not ours here")
    return config.network


def _rewrite(path: Path, network: Network, trial: Trial) -> Network:
    """Write the tried numbers into the configuration. Raises `ChangeRefused`; then it is as before.

    Invariant: what is written was read back as exactly what was tried.
    """
    kept = trial.of(network)
    values = {"address": str(kept.address), "range": f"{kept.first}-{kept.last}"}
    told = ", ".join(f'{key} = "{value}"' for key, value in values.items())
    try:
        real = path.resolve(strict=True)
        text = edit.with_values(real.read_text(), "network", values)
        if configs.parse(tomllib.loads(text)).network != kept:
            raise ChangeRefused(f"{path}: write {told} below [network] yourself, then confirm")
        _replace(real, text)
    except (OSError, ValueError, configs.ConfigFaults) as broken:
        raise ChangeRefused(f"{path}: cannot be written ({broken}); want {told}") from broken
    return kept


def _replace(path: Path, text: str) -> None:
    """Another text in one step, with the owner and the mode of the file that was there."""
    was = path.stat()
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with os.fdopen(os.open(fresh, flags, 0o600), "w") as file:
        os.fchmod(file.fileno(), was.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), was.st_uid, was.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    files.settle(path.parent)


def _config_words(options: argparse.Namespace) -> str:
    return "" if options.config == configs.DEFAULT_PATH else f" --config {options.config}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> int:
    sys.stderr.write(f"lango-agent: {text}\n")
    return ERROR
