"""``lango-agent probe``: look at the network from the box itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config as configs
from agent.probes import asked, runner, told
from agent.probes.asked import Kind, ProbeRefused
from agent.probes.runner import ProbeBusy

if TYPE_CHECKING:
    from agent.config import Config

OK, ERROR, USAGE, ODD = 0, 1, 2, 7

_ABOUT = {
    Kind.ARP: "who is on the LAN; addresses that two use",
    Kind.DHCP: "who hands out addresses on the LAN",
    Kind.TRACE: "the way to a target",
    Kind.DNS: "what the resolvers say of a name",
    Kind.MTU: "the largest packet that reaches a target",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    text = "\n".join(f"  {kind.value:<6}{about}" for kind, about in _ABOUT.items())
    probe = commands.add_parser(
        "probe",
        help="look at the LAN and the uplink",
        description=f"{text}\n\nExit code 7 when something is odd.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    probe.add_argument(
        "--config", type=Path, default=configs.DEFAULT_PATH, help="default: %(default)s"
    )
    probe.add_argument("kind", choices=[kind.value for kind in Kind])
    probe.add_argument("--target", default="", help="an address, a network of the LAN, or a name")
    probe.add_argument("--json", action="store_true", help="for programs")
    probe.set_defaults(command=_probe)


def _probe(config: Config, options: argparse.Namespace) -> int:
    try:
        wish = asked.wish(options.kind, options.target)
        result = asyncio.run(runner.run(wish, runner.wiring(config), config.state_dir))
    except ProbeRefused as refusal:
        return _complain(str(refusal), USAGE)
    except ProbeBusy as busy:
        return _complain(str(busy), ERROR)
    except OSError as error:
        return _complain(f"{error.filename or 'probe'}: {error.strerror}", ERROR)
    if options.json:
        sys.stdout.write(f"{json.dumps(result)}\n")
    else:
        sys.stdout.write("\n".join(told.lines(result)) + "\n")
    if result["outcome"] == "refused":
        return USAGE
    if result["outcome"] != "seen":
        return ERROR
    return ODD if told.is_odd(result) else OK


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"lango-agent: {text}\n")
    return code
