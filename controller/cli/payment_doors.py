"""``lango payment doors``: the addresses at which providers call us back."""

from typing import TYPE_CHECKING

import typer

from controller.cli.desk import KEY_FILE, Config, Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Fault
from controller.cli.here import settings_from

if TYPE_CHECKING:
    from controller.config import Settings
    from controller.vault import Vault

app = typer.Typer()


@taught(
    app,
    "doors",
    "lango payment doors",
    "lango payment doors --config /etc/lango/controller.toml --json",
)
def show_doors(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """Show the addresses that providers are to call back. They are secrets. On this machine only.

    An address is made from the key file of this controller: whoever knows it can speak there as the
    provider does.
    """
    from controller.usecases import doors

    settings = settings_from(config_file)
    vault = _vault_of(settings)
    found = [
        {
            "door": door,
            "tell": tell,
            "address": doors.address(vault, settings.public_url, door),
            "in_use": getattr(settings, section) is not None,
        }
        for door, section, tell in _DOORS
    ]
    screen = desk_of(ctx).screen
    if json:
        screen.json("payment-doors", {"data": found})
        return
    for one in found:
        screen.line(f"{one['door']:<{_DOOR_WIDTH}} {one['address']}")
    for one in found:
        unused = "" if one["in_use"] else " (not in the configuration yet)"
        screen.say(f"{one['door']}: {one['tell']}{unused}")
    screen.say("These are secrets: give each to its provider, and to nobody else.")
    if settings.http.public_url is None:
        screen.say("No provider can reach them: set http.public_url to an https address.")


_DOORS = (
    ("paybill", "mpesa", "with mpesa.c2b the controller registers it, once for ever"),
    ("validate", "mpesa", "registered together with paybill"),
    ("airtel", "airtel", "callback URL in Airtel's developer portal"),
    ("card", "card", "webhook URL in Paystack's dashboard"),
    ("bank", "bank", "where the bank sends its instant notices"),
    ("sms", "sms", "where the carrier sends its delivery reports"),
)
"""Each door, the section of the settings that uses it, and who has to know its address."""

_DOOR_WIDTH = 9


def _vault_of(settings: "Settings") -> "Vault":
    from controller.vault import open_vault

    if not (settings.state_dir / KEY_FILE).exists():
        raise Fault(
            "there are no doors yet",
            why=f"no keys in {settings.state_dir}",
            next_step="lango run makes them; or name its configuration with --config",
        )
    try:
        return open_vault(settings.state_dir)
    except (OSError, ValueError) as error:
        raise Fault("the keys cannot be read", why=str(error), next_step="lango doctor") from error
