"""The install script of one site: its words, each quoted, before what is the same for all. PURE.

Whatever a site is called, its name reaches the shell as one quoted word and is never part of the
program.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BODY = Path(__file__).with_name("install.sh")


@dataclass(frozen=True, slots=True)
class Words:
    """What differs from site to site. ``address`` is where the script itself is."""

    site_id: str
    site_name: str
    operator_name: str
    address: str
    join_address: str
    token: str
    bundle_sha256: str


def written(words: Words) -> bytes:
    """The whole script."""
    lines = (
        ("SITE", words.site_id),
        ("SITE_NAME", words.site_name),
        ("OPERATOR", words.operator_name),
        ("ADDRESS", words.address),
        ("JOIN_AT", words.join_address),
        ("TOKEN", words.token),
        ("BUNDLE_SHA256", words.bundle_sha256),
    )
    told = "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines)
    return b"#!/bin/sh\n" + told.encode() + _body()


def refusing(sentence: str) -> bytes:
    """A script that says one sentence and fails: a shell that is given nothing looks content."""
    told = shlex.quote(f"lango: {sentence}")
    return f"#!/bin/sh\nprintf '%s\\n' {told} >&2\nexit 1\n".encode()


def command(address: str) -> str:
    """What is typed at the machine."""
    return f"curl -fsS {shlex.quote(address)} | sudo sh"


def careful_command(address: str, sha256: str) -> str:
    """The same, which runs nothing but the script of this hash."""
    check = f"echo '{sha256}  lango.sh' | sha256sum -c"
    return f"curl -fsS -o lango.sh {shlex.quote(address)} && {check} && sudo sh lango.sh"


def sum_of(content: bytes) -> str:
    """SHA-256 in hexadecimal, as sha256sum says it."""
    return hashlib.sha256(content).hexdigest()


@cache
def _body() -> bytes:
    return BODY.read_bytes()
