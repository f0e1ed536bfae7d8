"""The ``lango`` command: its parts, and its exit codes.

0 well, 1 error, 2 wrong use, 3 not found, 4 not allowed, 5 conflict, 6 unreachable, 7 degraded.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Annotated

import typer

from controller.cli import (
    account,
    alerts,
    api_tokens,
    arrivals,
    audit,
    autopay,
    backup,
    branches,
    doctor,
    entering,
    garden,
    grants,
    here,
    imports,
    invoices,
    ledger,
    maintenance,
    messages,
    money,
    notices,
    operator,
    outages,
    papers,
    payment_doors,
    payments,
    places,
    plans,
    pools,
    prices,
    probes,
    promotions,
    reconcile,
    refunds,
    reports,
    runs,
    sessions,
    sites,
    staff,
    statements,
    status,
    subscribers,
    subscriptions,
    tokens,
    voucher_sales,
    vouchers,
)
from controller.cli.desk import URL_USUAL, Desk
from controller.cli.examples import begun, taught
from controller.cli.faults import Fault
from controller.cli.screen import Screen

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="lango",
    help=begun(
        "Lango, the software an internet provider runs its business on. Every reading command "
        "prints one JSON object with --json. Exit codes: 0 well, 1 error, 2 wrong use, "
        "3 not found, 4 not allowed, 5 conflict, 6 unreachable, 7 degraded.",
        "lango trial",
        "lango --url https://isp.example site list",
    ),
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="LANGO_URL", help="Where the controller is.")
    ] = URL_USUAL,
    key: Annotated[
        str,
        typer.Option(
            envvar="LANGO_KEY",
            help="The staff key; without it, that of a controller on this machine.",
        ),
    ] = "",
    *,
    no_color: Annotated[bool, typer.Option("--no-color", help="Never colours.")] = False,
) -> None:
    """Prepare the desk at which every command works."""
    ctx.obj = Desk(url=url, key=key, screen=Screen(plain=no_color))


@taught(
    app,
    "version",
    "lango version",
    "lango version | cut -d' ' -f2",
)
def show_version() -> None:
    """Print the version of this command."""
    typer.echo(f"lango {version('lango')}")


vouchers.app.add_typer(voucher_sales.app)
invoices.app.add_typer(papers.invoice)
payments.app.add_typer(payment_doors.app)
payments.app.add_typer(places.app)
papers.statement.add_typer(statements.app)
for name, group in (
    ("site", sites.app),
    ("plan", plans.app),
    ("price", prices.app),
    ("import", imports.app),
    ("operator", operator.app),
    ("tax", operator.tax),
    ("branch", branches.app),
    ("subscriber", subscribers.app),
    ("subscription", subscriptions.app),
    ("invoice", invoices.app),
    ("debt", invoices.debt),
    ("received", money.received),
    ("arrival", arrivals.app),
    ("refund", refunds.app),
    ("account", account.app),
    ("wallet", money.wallet),
    ("promotion", promotions.app),
    ("billing", runs.app),
    ("pool", pools.app),
    ("garden", garden.app),
    ("voucher", vouchers.app),
    ("token", tokens.app),
    ("payment", payments.app),
    ("autopay", autopay.app),
    ("statement", papers.statement),
    ("reconcile", reconcile.app),
    ("difference", reconcile.difference),
    ("session", sessions.app),
    ("grant", grants.app),
    ("ledger", ledger.app),
    ("notice", notices.app),
    ("alert", alerts.app),
    ("maintenance", maintenance.app),
    ("outage", outages.app),
    ("sms", messages.app),
    ("audit", audit.app),
    ("staff", staff.app),
    ("api-token", api_tokens.app),
    ("backup", backup.app),
    ("config", here.config),
    ("db", here.db),
):
    app.add_typer(group, name=name)
app.add_typer(payments.app, name="payments", hidden=True)  # so it is said of those that wait
for part in (here.app, entering.app, status.app, doctor.app, probes.app, money.app, reports.app):
    app.add_typer(part)


@cache
def _command() -> Callable[..., object]:
    """All that can be said, made once: its 150 commands take 50 ms, and tests run thousands."""
    return typer.main.get_command(app)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command with ``words`` (None: those of the process); exit with its code."""
    try:
        _command()(args=words)
    except Fault as fault:
        Screen(plain="--no-color" in (sys.argv if words is None else words)).fault(fault)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell


if __name__ == "__main__":
    main()
