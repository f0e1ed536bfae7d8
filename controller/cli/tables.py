"""Reports of the API as tables of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.cli.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from controller.cli.screen import Screen

NUMBERS = ("money", "count")


def report_table(
    screen: Screen, report: Mapping[str, Any], *, without: Collection[str] = ()
) -> None:
    """Its rows and sums as data, and as talk what it is about and on which basis."""
    columns = [column for column in report["columns"] if column["name"] not in without]
    lines = [*report["data"], {**report["totals"], columns[0]["name"]: "Total"}]
    screen.table(
        [
            f"{'>' if column['kind'] in NUMBERS else ''}{column['heading'].upper()}"
            for column in columns
        ],
        [[_text(line[column["name"]], column["kind"]) for column in columns] for line in lines],
    )
    days = f"{report['from'] or 'now'} to {report['until']}" if report["from"] else "as it is now"
    screen.say(f"{report['title']}, {report['basis']} basis, {days}, in {report['currency']}.")


def _text(value: str | int | None, kind: str) -> str:
    if value is None:
        return NOTHING
    if kind == "money":
        whole, _, cents = str(value).partition(".")
        return f"{int(whole):,}.{cents}" if whole != "-0" else f"-0.{cents}"
    return f"{value:,}" if isinstance(value, int) else value
