"""The members of a backup as one encrypted file, and back.

Nothing of a file is believed before it was decrypted, which fails for a wrong key and for every bit
that was changed or cut off (age authenticates in pieces of 64 KiB). Members are read by names that
are fixed here, into names that are fixed here: what stands in an archive names no path.

That a file can be decrypted proves no sender: whoever knows a public key (the recovery key's half
stands on this machine) can make one that opens as well, and says of itself what it likes. The head
of its audit log, held against one that was kept elsewhere, is what tells: a restore's plan shows
both, and ``lango audit verify`` walks the chain.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyrage
import zstandard

from controller.backup.manifest import (
    MANIFEST_BYTES_MAX,
    Manifest,
    Member,
    NotABackup,
    read_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MANIFEST_NAME = "manifest.json"
PART_SUFFIX = ".part"
LEVEL = 9
"""Of zstandard: the books of a provider become about a sixth."""

PIECE_BYTES = 1 << 20
WINDOW_BYTES_MAX = 1 << 27


def member_of(name: str, path: Path) -> Member:
    """What a manifest says of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        while piece := source.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return Member(name, size, digest.hexdigest())


def pack(
    target: Path, folder: Path, manifest: Manifest, recipients: Sequence[Any], *, scratch: Path
) -> int:
    """Write the members, which lie in ``folder``, to ``target``; its size in bytes.

    There it is whole and on disk, or not at all. Raises ``OSError``.
    """
    plain, draft = scratch / "plain", target.with_name(target.name + PART_SUFFIX)
    try:
        _pack_plain(plain, folder, manifest)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with plain.open("rb") as source, os.fdopen(handle, "wb") as out:
            pyrage.encrypt_io(source, out, list(recipients))
            out.flush()
            os.fsync(out.fileno())
        size = draft.stat().st_size
        draft.rename(target)
        _sync(target.parent)
    except (pyrage.EncryptError, zstandard.ZstdError) as error:
        raise OSError(f"the backup could not be written: {error}") from error
    finally:
        plain.unlink(missing_ok=True)
        draft.unlink(missing_ok=True)
    return size


def unpack(source: Path, identity: Any, into: Path) -> Manifest:
    """Decrypt a backup into an empty folder and check every member. Raises `NotABackup`, `OSError`.

    What is left in the folder after a refusal is of no use; the caller removes it.
    """
    plain = into / "plain"
    try:
        _decrypt(source, identity, plain)
        with _members(plain) as archive:
            return _unpacked(archive, into)
    except (tarfile.TarError, zstandard.ZstdError, EOFError, UnicodeError) as error:
        raise NotABackup("what was decrypted is not an archive") from error
    finally:
        plain.unlink(missing_ok=True)


def _decrypt(source: Path, identity: Any, plain: Path) -> None:
    try:
        with source.open("rb") as sealed, plain.open("wb") as out:
            pyrage.decrypt_io(sealed, out, [identity])
    except (pyrage.DecryptError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own; the library's for a later piece has no number
        raise NotABackup(
            "it cannot be decrypted: the key is another one, or the file was changed or cut off"
        ) from error


def _pack_plain(plain: Path, folder: Path, manifest: Manifest) -> None:
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    with (
        plain.open("wb") as out,
        compressor.stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        raw = manifest.written()
        _add(archive, MANIFEST_NAME, len(raw), io.BytesIO(raw))
        for member in manifest.members:
            with (folder / member.name).open("rb") as source:
                _add(archive, member.name, member.size, source)


def _add(archive: tarfile.TarFile, name: str, size: int, source: Any) -> None:
    told = tarfile.TarInfo(name)
    told.size, told.mode = size, 0o600
    archive.addfile(told, source)


@contextmanager
def _members(plain: Path) -> Iterator[tarfile.TarFile]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    with (
        plain.open("rb") as raw,
        decompressor.stream_reader(raw) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as archive,
    ):
        yield archive


def _unpacked(archive: tarfile.TarFile, into: Path) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST_NAME or not first.isreg():
        raise NotABackup("it does not begin with a manifest")
    if first.size > MANIFEST_BYTES_MAX:
        raise NotABackup("its manifest is too long")
    manifest = read_manifest(_content(archive, first).read())
    for wanted in manifest.members:
        found = archive.next()
        if found is None or (found.name, found.size) != (wanted.name, wanted.size):
            raise NotABackup(f"it lacks {wanted.name}, or holds another one")
        if not found.isreg():
            raise NotABackup(f"{wanted.name} in it is no file")
        _write(_content(archive, found), into / wanted.name, wanted)
    if archive.next() is not None:
        raise NotABackup("it holds more than its manifest says")
    return manifest


def _content(archive: tarfile.TarFile, told: tarfile.TarInfo) -> Any:
    found = archive.extractfile(told)
    assert found is not None, "a regular file has content"
    return found


def _write(source: Any, path: Path, wanted: Member) -> None:
    digest = hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        while piece := source.read(PIECE_BYTES):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != wanted.sha256:
        raise NotABackup(f"{wanted.name} in it is not what its manifest says")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
