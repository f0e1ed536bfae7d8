"""Commands whose help begins with examples: people read those, and seldom more."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer

Command = TypeVar("Command", bound="Callable[..., None]")


def begun(text: str, *examples: str) -> str:
    """``text`` as help that begins with ``examples``; the mark keeps their lines apart."""
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{text}"


def taught(app: typer.Typer, name: str, *examples: str) -> Callable[[Command], Command]:
    """Make a command of ``app``; its docstring is its help, after the examples."""

    def add(command: Command) -> Command:
        text = command.__doc__ or ""
        return app.command(name, help=begun(text, *examples), short_help=text.split("\n")[0])(
            command
        )

    return add
