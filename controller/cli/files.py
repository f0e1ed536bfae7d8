"""Files that commands write, and days that people type."""

from datetime import date
from pathlib import Path

from billing.errors import InvalidField
from controller.cli.faults import Fault, InTheWay, WrongUse


def must_be_new(path: Path | None) -> None:
    """Raise a `Fault` where something would be overwritten, or no folder is there to write in."""
    if path is None:
        return
    if path.exists():
        raise InTheWay(f"{path} is there already", next_step="name a new file")
    if not path.parent.is_dir():
        raise WrongUse(f"there is no folder {path.parent}", next_step="make it, or name another")


def written(path: Path, content: bytes) -> None:
    """Write a new file. Raises `Fault`."""
    try:
        with path.open("xb") as out:
            out.write(content)
    except OSError as error:
        raise Fault(f"{path} could not be written", why=str(error)) from error


def calendar_day(text: str) -> date:
    """``2026-11-30``. Raises `InvalidField`."""
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise InvalidField("day", f"{text!r} is not a day like 2026-11-30") from wrong


def kind_of(path: Path | None, known: tuple[str, ...]) -> str:
    """In which form a file is meant, by the end of its name; the first one without a file."""
    if path is None:
        return known[0]
    kind = path.suffix.lower().removeprefix(".")
    if kind not in known[1:]:
        ends = ", ".join(f".{one}" for one in known[1:])
        raise WrongUse(f"{path} says nothing of its form", next_step=f"end its name with {ends}")
    return kind
