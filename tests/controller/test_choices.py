"""How settings come about: what was chosen on screen yields to all that is fixed on the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.choices import CHOOSABLE, at_start, origins
from controller.config import ConfigFaults, known_keys, read_fixed, settled
from controller.usecases.choosing import choose
from controller.vault import FILE_NAME, open_vault
from tests.support.office import an_office

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database

KEYS = {
    "mpesa.base_url": "http://127.0.0.1:8090",
    "mpesa.shortcode": "600111",
    "mpesa.consumer_key": "key",
    "mpesa.consumer_secret": "secret",
    "mpesa.passkey": "passkey",
}
CHOSEN = {"sms": {"username": "chosen", "api_key": "chosen", "sender_id": "CHOSEN"}}


def a_file(folder: Path, text: str = "") -> Path:
    path = folder / "controller.toml"
    path.write_text(f'state_dir = "{folder}"\n' + text)
    return path


@pytest.mark.parametrize(
    ("told", "wanted", "origin"),
    [
        (("", "", ""), "CHOSEN", "chosen on screen"),
        (("FILE", "", ""), "FILE", "controller.toml"),
        (("FILE", "ENV", ""), "ENV", "environment"),
        (("FILE", "ENV", "LINE"), "LINE", "command line"),
    ],
)
def test_what_is_told_nearer_to_the_machine_wins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: tuple[str, str, str],
    wanted: str,
    origin: str,
) -> None:
    file, environment, line = told
    path = a_file(tmp_path, f'[sms]\nsender_id = "{file}"\n' if file else "")
    if environment:
        monkeypatch.setenv("LANGO_SMS__SENDER_ID", environment)
    fixed = read_fixed(path, {"sms": {"sender_id": line}} if line else {})
    settings = settled(fixed, CHOSEN)
    assert settings.sms is not None
    told_by = origins(fixed, settings, ["sms.sender_id", "sms.username", "http.port"])

    assert settings.sms.sender_id == wanted
    assert told_by == {
        "sms.sender_id": origin,
        "sms.username": "chosen on screen",
        "http.port": "default",
    }
    assert ("sms.sender_id" in settings.chosen) == (origin == "chosen on screen")


def test_a_secret_in_a_file_of_its_own_is_fixed_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of the file")
    fixed = read_fixed(a_file(tmp_path, '[sms]\napi_key_file = "key"\n'))
    settings = settled(fixed, CHOSEN)

    assert settings.sms is not None
    assert settings.sms.api_key.get_secret_value() == "of the file"
    assert fixed.by("sms.api_key") == "controller.toml"


def test_where_a_controller_is_and_listens_is_never_chosen() -> None:
    never = {"state_dir", "database.url", "http.host", "http.port", "edge.host", "edge.port"}

    assert set(known_keys()) >= CHOOSABLE
    assert never.isdisjoint(CHOOSABLE)


async def test_a_controller_begins_with_what_was_chosen(
    sqlite_db: Database, tmp_path: Path
) -> None:
    deps = an_office(tmp_path, sqlite_db).deps
    await choose(deps, KEYS)
    fixed = read_fixed(a_file(tmp_path, f'[database]\nurl = "{url_of(sqlite_db)}"\n'))
    settings, choices = at_start(fixed)

    assert settings.mpesa is not None
    assert settings.mpesa.passkey.get_secret_value() == "passkey"
    assert choices.mark != ""
    assert settings.chosen == set(KEYS)


async def test_choices_that_were_sealed_elsewhere_are_named_with_the_way_out(
    sqlite_db: Database, tmp_path: Path
) -> None:
    await choose(an_office(tmp_path, sqlite_db).deps, KEYS)
    (tmp_path / FILE_NAME).unlink()
    open_vault(tmp_path)
    fixed = read_fixed(a_file(tmp_path, f'[database]\nurl = "{url_of(sqlite_db)}"\n'))
    with pytest.raises(ConfigFaults) as refused:
        at_start(fixed)

    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "mpesa.consumer_secret",
        "mpesa.passkey",
    ]
    assert "lango config forget mpesa" in refused.value.faults[0]


def test_a_machine_without_a_database_has_no_choices(tmp_path: Path) -> None:
    settings, choices = at_start(read_fixed(a_file(tmp_path)))

    assert (settings.mpesa, choices.mark) == (None, "")
    assert not (tmp_path / "lango.db").exists()


async def test_a_backup_has_what_was_chosen_in_its_database_only(
    sqlite_db: Database, tmp_path: Path
) -> None:
    from controller.backup.create import toml_of

    deps = an_office(tmp_path, sqlite_db).deps
    settings = await choose(deps, KEYS)
    fixed = settled(read_fixed(a_file(tmp_path, '[sms]\nusername = "u"\napi_key = "k"\n')))

    assert settings.mpesa is not None
    assert "[mpesa]" not in toml_of(settings)
    assert 'api_key = "k"' in toml_of(fixed)


def url_of(db: Database) -> str:
    return db.engine.url.render_as_string(hide_password=False)


def test_what_is_fixed_shows_no_value() -> None:
    fixed = read_fixed(None)

    assert "sms" not in repr(replace(fixed, layers=(("x", CHOSEN),)))
