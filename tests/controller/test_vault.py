"""The keys outside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import InvalidToken

from controller.vault import FILE_NAME, open_vault

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_sealed_is_unsealed_after_a_restart(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path).seal(b"token")

    assert open_vault(tmp_path).unseal(sealed) == b"token"


def test_another_vault_cannot_unseal(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path / "one").seal(b"token")

    with pytest.raises(InvalidToken):
        open_vault(tmp_path / "two").unseal(sealed)


def test_a_fingerprint_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = open_vault(tmp_path).fingerprint("voucher", "1234")

    assert open_vault(tmp_path).fingerprint("voucher", "1234") == first


def test_purposes_do_not_share_fingerprints(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)

    assert vault.fingerprint("voucher", "1234") != vault.fingerprint("join", "1234")


def test_only_the_staff_key_is_the_staff_key(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    key = vault.staff_key()

    assert [vault.is_staff_key(offer) for offer in (key, key[:-1], "", "é")] == [
        True,
        False,
        False,
        False,
    ]


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    open_vault(tmp_path)

    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_draft_left_by_a_power_cut_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "keys.json.new").write_text('{"seal": "ha')

    assert open_vault(tmp_path).staff_key()


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"seal": 1, "hash": "", "staff": ""}'])
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)

    with pytest.raises(ValueError, match=r".+"):
        open_vault(tmp_path)


def test_keys_are_not_shown(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)

    assert repr(vault) == "Vault(…)"
