"""The keys of backups: the operator's, whose secret half is nowhere here, and this machine's own.

age X25519 keys ("The age file encryption format", age-encryption.org/v1), by the library pyrage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyrage import IdentityError, RecipientError, x25519

from controller.keep import write_private

if TYPE_CHECKING:
    from pathlib import Path

RECIPIENT_FILE = "backup-recipient"
"""In the state directory: the public half of the recovery key."""

TRIAL_FILE = "backup-trial-key"
"""In the state directory, and in no backup: with it this machine tries its own backups."""


class KeyWrong(Exception):  # noqa: N818 - a sentence
    """A key is none, or the wrong half of one."""


class KeyThere(Exception):  # noqa: N818 - a sentence
    """There is a recovery key already."""


def make_recovery_key(state_dir: Path, *, instead: bool = False) -> str:
    """Make the recovery key, and keep its public half; the secret half, which is kept nowhere.

    Raises `KeyThere` unless it is made ``instead`` of one (backups that are there keep theirs).
    """
    if (state_dir / RECIPIENT_FILE).exists() and not instead:
        raise KeyThere("there is a recovery key already; backups are encrypted to it")
    secret, recipient = new_recovery_key()
    keep_recipient(state_dir, recipient)
    return secret


def new_recovery_key() -> tuple[str, str]:
    """A new recovery key, of which nothing is kept yet: its secret and its public half."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def keep_recipient(state_dir: Path, recipient: str) -> None:
    """Have backups encrypted to this public half from now on. Raises ``OSError``."""
    write_private(state_dir / RECIPIENT_FILE, f"{recipient}\n".encode())


def recipient_of(state_dir: Path, told: str = "") -> str:
    """The public half of the recovery key: as ``told`` by the settings, or as kept; "": none."""
    path = state_dir / RECIPIENT_FILE
    if told or not path.exists():
        return told
    return path.read_text(encoding="ascii", errors="replace").strip()


def read_recipient(text: str) -> x25519.Recipient:
    """A public half. Raises `KeyWrong`."""
    try:
        return x25519.Recipient.from_str(text.strip())
    except RecipientError as error:
        raise KeyWrong("want the public half of a recovery key, age1…") from error


def read_identity(text: str) -> x25519.Identity:
    """A secret half, perhaps among comment lines. Raises `KeyWrong`."""
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    try:
        (line,) = found
        return x25519.Identity.from_str(line)
    except (ValueError, IdentityError) as error:
        raise KeyWrong("want the recovery key, AGE-SECRET-KEY-1…") from error


def trial_identity(state_dir: Path) -> x25519.Identity:
    """This machine's own key; made on first use. Raises ``OSError``, `KeyWrong`."""
    path = state_dir / TRIAL_FILE
    if not path.exists():
        write_private(path, f"{x25519.Identity.generate()}\n".encode())
    return read_identity(path.read_text(encoding="ascii", errors="replace"))
