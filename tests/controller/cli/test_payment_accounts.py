"""Accounts with providers, as this machine's own commands show them: doors and the doctor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2

from controller.config import load_settings
from controller.usecases import doors
from controller.vault import open_vault
from tests.controller.cli.lango import lango_here
from tests.support.office import Office, opened

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "http://127.0.0.1:9"
PUBLIC = "https://pay.example.co.ke"
MPESA = """
[mpesa]
shortcode = "600111"
consumer_key = "key"
consumer_secret = "hush"
passkey = "hush"
"""
MORE = """
c2b = true
nominated_number = "254712345678"
initiator = "api"
initiator_password = "hush"
certificate = "hush"
[airtel]
base_url = "https://airtel.example"
client_id = "id"
client_secret = "hush"
merchant = "shop"
[card]
secret_key = "hush"
merchant = "shop"
[bank]
bank = "jenga"
account = "0123"
user = "us"
password = "hush"
"""


def a_house(tmp_path: Path, text: str, *, public: bool = True) -> str:
    """A configuration file whose state directory has keys."""
    open_vault(tmp_path)
    http = f'[http]\npublic_url = "{PUBLIC}"\n' if public else ""
    (tmp_path / "controller.toml").write_text(f"state_dir = '{tmp_path}'\n{http}{text}")
    return str(tmp_path / "controller.toml")


async def doctor(config: str) -> dict[str, dict[str, Any]]:
    """The doctor's findings, by where he looked."""
    ran = await lango_here("--url", NOBODY, "doctor", "--config", config, "--json")
    return {one["look"]: one for one in ran.json["findings"]}


async def test_a_door_is_shown_by_the_address_that_opens_it(tmp_path: Path, office: Office) -> None:
    office = replace(office, deps=replace(office.deps, vault=open_vault(tmp_path)))
    shown = await lango_here("payment", "doors", "--config", a_house(tmp_path, ""))
    addresses = dict(line.split() for line in shown.out.splitlines())
    async with opened(office) as url, httpx2.AsyncClient(trust_env=False) as http:
        at = addresses["sms"].replace(PUBLIC, url)
        statuses = [(await http.post(to, content=b"{}")).status_code for to in (at, at[:-1] + "x")]

    assert list(addresses) == [doors.PAYBILL, doors.VALIDATE, "airtel", "card", "bank", "sms"]
    assert statuses == [200, 404]


async def test_doors_are_called_secrets_and_unused_ones_are_told(tmp_path: Path) -> None:
    shown = await lango_here("payment", "doors", "--config", a_house(tmp_path, MPESA + MORE))
    as_json = await lango_here("payment", "doors", "--config", a_house(tmp_path, MPESA), "--json")

    assert "These are secrets" in shown.err
    assert {one["door"]: one["in_use"] for one in as_json.json["data"]} == {
        "paybill": True,
        "validate": True,
        **dict.fromkeys(("airtel", "card", "bank", "sms"), False),
    }


async def test_doors_make_no_keys(tmp_path: Path) -> None:
    (tmp_path / "controller.toml").write_text(f"state_dir = '{tmp_path / 'new'}'\n")
    ran = await lango_here("payment", "doors", "--config", str(tmp_path / "controller.toml"))

    assert (ran.code, ran.out, (tmp_path / "new").exists()) == (1, "", False)
    assert "there are no doors yet" in ran.err


async def test_the_doctor_says_for_each_rail_whether_it_is_set_up(tmp_path: Path) -> None:
    some, all_of = (
        await doctor(a_house(tmp_path, MPESA)),
        await doctor(a_house(tmp_path, MPESA + MORE)),
    )

    assert (some["M-PESA"]["verdict"], all_of["M-PESA"]["verdict"]) == ("warning", "ok")
    assert "mpesa.c2b, mpesa.nominated_number, mpesa.initiator" in some["M-PESA"]["next_step"]
    assert [some[rail]["found"].partition(";")[0] for rail in ("cards", "bank")] == [
        "not set up"
    ] * 2
    assert [all_of[rail]["found"] for rail in ("Airtel Money", "cards", "bank")] == [
        "airtel.merchant shop",
        "card.merchant shop",
        "bank.account 0123",
    ]
    assert "lango payment doors" in all_of["callbacks"]["next_step"]
    assert "hush" not in str(all_of)


async def test_the_doctor_warns_when_no_provider_can_reach_us(tmp_path: Path) -> None:
    local = MPESA + 'base_url = "http://127.0.0.1:9"\n'
    found = await doctor(a_house(tmp_path, local, public=False))

    assert (found["callbacks"]["verdict"], found["callbacks"]["next_step"]) == (
        "warning",
        "set http.public_url",
    )


def test_a_house_is_well_formed(tmp_path: Path) -> None:
    assert load_settings(tmp_path / a_house(tmp_path, MPESA + MORE)).bank is not None
