"""The agent as one archive, made of the sources that this controller runs from.

Within is a wheel with the packages of the agent alone, the Python packages that it needs with their
hashes, and the files of the system. The same sources give the same bytes: names in order, no times,
no owners. Nothing but sources is taken, by their suffix: no state, no settings, no keys.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from controller.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = ("agent", "billing", "portal", "shaping", "wirepb")
SUFFIXES = frozenset((".py", ".html", ".css", ".js"))
"""What is taken of a package."""

SYSTEM_FILES = {
    "requirements.txt": "requirements/agent.txt",
    "lango-agent.service": "systemd/lango-agent.service",
    "60-lango-gateway.conf": "sysctl.d/60-lango-gateway.conf",
    "lango-agent.conf": "sysusers.d/lango-agent.conf",
}
"""What goes beside the packages, and where it stands in ``packaging``."""

HERE = Path(__file__).resolve().parent
SHIPPED = (HERE / "shipped", HERE.parents[1] / "packaging")
"""Where ``packaging`` is: in an installed controller, and in a clone of the repository."""

DAWN = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The archive (tar.gz) and its SHA-256 in hexadecimal."""

    content: bytes
    sha256: str


@cache
def bundle() -> Bundle:
    """The archive; made once, in half a second, of what is installed."""
    return packed(found_sources(), found_system_files(), release=version())


def found_sources() -> dict[str, bytes]:
    """The files of the agent's packages by their names within the wheel."""
    sources = {}
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None, f"{package} is installed beside the controller"
        assert spec.submodule_search_locations is not None
        folder = Path(spec.submodule_search_locations[0])
        for path in folder.rglob("*"):
            if path.suffix in SUFFIXES and path.is_file():
                sources[f"{package}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return sources


def found_system_files() -> dict[str, bytes]:
    """The files beside the packages by their names within the archive."""
    shipped = next(one for one in SHIPPED if one.is_dir())
    return {name: (shipped / where).read_bytes() for name, where in SYSTEM_FILES.items()}


def packed(sources: Mapping[str, bytes], system: Mapping[str, bytes], *, release: str) -> Bundle:
    """The archive of these files, as a release of this number."""
    name = f"lango-{release}-py3-none-any.whl"
    files = {**system, name: _wheel(sources, release)}
    content = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=content, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for member in sorted(files):
            header = tarfile.TarInfo(member)
            header.size, header.mode = len(files[member]), 0o644
            archive.addfile(header, io.BytesIO(files[member]))
    made = content.getvalue()
    return Bundle(made, hashlib.sha256(made).hexdigest())


def _wheel(sources: Mapping[str, bytes], release: str) -> bytes:
    """The packages as pip installs them (the binary distribution format of PyPA)."""
    about = f"lango-{release}.dist-info"
    files = {
        **sources,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: lango\nVersion: {release}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lango\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        f"{about}/entry_points.txt": b"[console_scripts]\nlango-agent = agent.main:main\n",
    }
    record = f"{about}/RECORD"
    lines = [f"{name},{_digest(files[name])},{len(files[name])}" for name in sorted(files)]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            header = zipfile.ZipInfo(name, DAWN)
            header.external_attr = 0o644 << 16
            archive.writestr(header, files[name])
    return content.getvalue()


def _digest(content: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={hashed.decode()}"
