"""A file that was changed, cut off, or made by somebody else is no backup."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pyrage
import pytest
import zstandard

from controller.backup.archive import MANIFEST_NAME, member_of, pack, unpack
from controller.backup.keys import (
    KeyThere,
    KeyWrong,
    make_recovery_key,
    read_identity,
    read_recipient,
    recipient_of,
)
from controller.backup.manifest import Books, Manifest, Member, NotABackup
from tests.support.office import NOON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = pyrage.x25519.Identity.generate()
BOOKS = Books(rows={"plan": 2}, ledger="0" * 64, posted_minor=0)


def a_manifest(*members: Member) -> Manifest:
    return Manifest(NOON, "0.1.0", "sqlite", "x", "0:" + "0" * 64, BOOKS, members)


def a_backup(folder: Path) -> Path:
    (folder / "made").mkdir()
    (folder / "made" / "database").write_bytes(b"rows " * 50_000)
    (folder / "made" / "keys.json").write_bytes(b"{}")
    members = [member_of(name, folder / "made" / name) for name in ("database", "keys.json")]
    target = folder / "x.lango"
    pack(target, folder / "made", a_manifest(*members), [KEY.to_public()], scratch=folder)
    return target


def forged(folder: Path, manifest: bytes, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A file that somebody made for us who knows our public key: it decrypts well."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        first = tarfile.TarInfo(MANIFEST_NAME)
        first.size = len(manifest)
        archive.addfile(first, io.BytesIO(manifest))
        for told, content in members:
            archive.addfile(told, io.BytesIO(content))
    packed = zstandard.compress(plain.getvalue())
    target = folder / "forged.lango"
    target.write_bytes(pyrage.encrypt(packed, [KEY.to_public()]))
    return target


def a_file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    told = tarfile.TarInfo(name)
    told.size = len(content)
    return told, content


def into(folder: Path) -> Path:
    made = folder / "into"
    made.mkdir()
    return made


def test_what_was_packed_comes_back(tmp_path: Path) -> None:
    manifest = unpack(a_backup(tmp_path), KEY, into(tmp_path))

    assert manifest.books == BOOKS
    assert (tmp_path / "into" / "database").read_bytes() == b"rows " * 50_000


def test_nothing_readable_stays_beside_it(tmp_path: Path) -> None:
    path = a_backup(tmp_path)

    assert sorted(one.name for one in tmp_path.iterdir()) == ["made", path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    other = pyrage.x25519.Identity.generate()

    with pytest.raises(NotABackup, match="another one"):
        unpack(a_backup(tmp_path), other, into(tmp_path))


@pytest.mark.parametrize("at", [0, 30, 150, -200, -1])
def test_one_changed_bit_is_found(tmp_path: Path, at: int) -> None:
    path = a_backup(tmp_path)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    with pytest.raises(NotABackup):
        unpack(path, KEY, into(tmp_path))


@pytest.mark.parametrize("keep", [0, 10, 100, 300, -1])
def test_a_file_that_was_cut_off_is_found(tmp_path: Path, keep: int) -> None:
    path = a_backup(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(NotABackup):
        unpack(path, KEY, into(tmp_path))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "database/../../evil", "evil"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    raw = a_manifest(Member("database", 1, "0"), Member(name, 4, "0")).written()

    with pytest.raises(NotABackup, match="no backup has"):
        unpack(forged(tmp_path, raw, [a_file(name, b"evil")]), KEY, into(tmp_path))
    assert not list(tmp_path.rglob("evil"))


def test_a_link_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    raw = a_manifest(Member("database", 0, "0")).written()
    link = tarfile.TarInfo("database")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"

    with pytest.raises(NotABackup, match="no file"):
        unpack(forged(tmp_path, raw, [(link, b"")]), KEY, into(tmp_path))


def test_a_member_that_is_not_as_its_manifest_says_is_refused(tmp_path: Path) -> None:
    wanted = Member("database", 4, "0" * 64)

    with pytest.raises(NotABackup, match="not what"):
        unpack(
            forged(tmp_path, a_manifest(wanted).written(), [a_file("database", b"rows")]),
            KEY,
            into(tmp_path),
        )


def test_a_member_too_many_is_refused(tmp_path: Path) -> None:
    path = a_backup(tmp_path)
    manifest = unpack(path, KEY, into(tmp_path))
    members = [a_file("database", b"rows " * 50_000), a_file("keys.json", b"{}")]
    (tmp_path / "again").mkdir()

    with pytest.raises(NotABackup, match="more than"):
        unpack(
            forged(tmp_path, manifest.written(), [*members, a_file("x", b"x")]),
            KEY,
            tmp_path / "again",
        )


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 2}', b"\xff", b'{"format":1,"members":[1]}'],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(NotABackup):
        unpack(forged(tmp_path, raw, []), KEY, into(tmp_path))


def test_an_archive_without_a_manifest_is_refused(tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(*_with_content(a_file("database", b"rows")))
    path = tmp_path / "x"
    path.write_bytes(pyrage.encrypt(zstandard.compress(plain.getvalue()), [KEY.to_public()]))

    with pytest.raises(NotABackup, match="begin"):
        unpack(path, KEY, into(tmp_path))


def _with_content(one: tuple[tarfile.TarInfo, bytes]) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return one[0], io.BytesIO(one[1])


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "database").write_bytes(b"rows")
    member = replace(member_of("database", tmp_path / "made" / "database"))
    target = tmp_path / "no-such-folder" / "x.lango"

    with pytest.raises(OSError, match="No such file"):
        pack(target, tmp_path / "made", a_manifest(member), [KEY.to_public()], scratch=tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["made"]


def test_the_recovery_key_is_made_once_and_kept_nowhere(tmp_path: Path) -> None:
    secret = make_recovery_key(tmp_path)

    assert str(read_identity(f"# mine\n{secret}\n").to_public()) == recipient_of(tmp_path)
    assert all(secret not in one.read_text() for one in tmp_path.iterdir())
    with pytest.raises(KeyThere):
        make_recovery_key(tmp_path)
    assert make_recovery_key(tmp_path, instead=True) != secret


@pytest.mark.parametrize("text", ["", "age1x", "AGE-SECRET-KEY-1X", f"{KEY}\n{KEY}"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyWrong):
        read_identity(text)
    with pytest.raises(KeyWrong):
        read_recipient(text)
