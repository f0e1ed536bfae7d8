"""Files that come in name no path."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

import pytest

from controller.backup.archive import unpack
from controller.backup.manifest import Member, NotABackup
from tests.attacks.asking import application, asked, asking, bearer
from tests.attacks.doors import NEW_STATEMENT
from tests.controller.backup.test_archive import KEY, a_manifest, forged, into

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.business import Business

NAMES = (
    "../evil",
    "/etc/evil",
    "a\0b",
    "..\\evil",
    "database\0../evil",
    "./database",
    "\u202eevil",
)
KINDS = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_backup_leads_nowhere(tmp_path: Path, name: str) -> None:
    true = hashlib.sha256(b"evil").hexdigest()
    raw = a_manifest(Member("database", 4, true), Member(name, 4, true)).written()
    held = [(tarfile.TarInfo("database"), b"evil"), (tarfile.TarInfo(name), b"evil")]
    for told, _ in held:
        told.size = 4

    with pytest.raises(NotABackup, match="names files that no backup has"):
        unpack(forged(tmp_path, raw, held), KEY, into(tmp_path))
    assert {one.name for one in tmp_path.rglob("*")} == {"forged.lango", "into"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_in_a_backup_is_never_made(tmp_path: Path, kind: bytes) -> None:
    raw = a_manifest(Member("database", 0, hashlib.sha256(b"").hexdigest())).written()
    told = tarfile.TarInfo("database")
    told.type, told.linkname = kind, "/etc/passwd"

    with pytest.raises(NotABackup):
        unpack(forged(tmp_path, raw, [(told, b"")]), KEY, into(tmp_path))
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.csv", "../../evil.csv", "x" * 200])
async def test_the_name_of_a_statement_is_only_a_word(business: Business, name: str) -> None:
    app, around = application(business), business.office.deps.settings.state_dir.parents[1]
    before = sorted(around.rglob("*evil*"))
    told = {**(NEW_STATEMENT.content or {}), "name": name, "profile": "kcb-desk"}
    async with asking(app) as client:
        for deed in NEW_STATEMENT.first:
            await asked(client, deed, business.ids, headers=bearer(business, deed))
        answer = await asked(
            client, NEW_STATEMENT, business.ids, told, headers=bearer(business, NEW_STATEMENT)
        )
    await app.state.hub.close()

    assert answer.status_code in {201, 422}
    assert sorted(around.rglob("*evil*")) == before
