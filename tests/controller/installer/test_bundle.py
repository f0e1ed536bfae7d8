"""The agent as an archive: the same bytes each time, whole, and nothing in it but sources."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import zipfile

import pytest

from controller.installer.bundle import bundle, found_sources, found_system_files, packed
from tests.test_imports import FORBIDDEN, ROOT

SYSTEM = {
    "60-lango-gateway.conf",
    "lango-agent.conf",
    "lango-agent.service",
    "lango-0.1.0-py3-none-any.whl",
    "requirements.txt",
}


def members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        opened = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        return {name: file.read() for name, file in opened.items() if file is not None}


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    found = members(bundle().content)
    return zipfile.ZipFile(io.BytesIO(found["lango-0.1.0-py3-none-any.whl"]))


def test_the_same_sources_give_the_same_bytes_in_whatever_order_they_are_found() -> None:
    sources = found_sources()
    turned = dict(reversed(sources.items()))
    again = packed(turned, found_system_files(), release="0.1.0")

    assert again == packed(sources, found_system_files(), release="0.1.0")
    assert again.sha256 == hashlib.sha256(again.content).hexdigest()


def test_another_source_gives_another_sum() -> None:
    sources, system = found_sources(), found_system_files()
    changed = sources | {"agent/main.py": b"pass\n"}

    one, other = (packed(some, system, release="0.1.0") for some in (sources, changed))
    assert one.sha256 != other.sha256


def test_it_holds_the_agent_what_it_needs_and_the_files_of_the_system(
    wheel: zipfile.ZipFile,
) -> None:
    with tarfile.open(fileobj=io.BytesIO(bundle().content)) as archive:
        kept = archive.getmembers()
    names = set(wheel.namelist())

    assert {one.name for one in kept} == SYSTEM
    assert {(one.mtime, one.uid, one.uname) for one in kept} == {(0, 0, "")}
    assert {"agent/main.py", "wirepb/v1/edge_pb2.py", "portal/captive/app.py"} <= names
    assert any(name.startswith("portal/") and name.endswith(".html") for name in names)


def test_it_holds_nothing_of_the_centre_and_nothing_but_sources(wheel: zipfile.ZipFile) -> None:
    names = [one for one in wheel.namelist() if ".dist-info/" not in one]
    odd = [one for one in names if not re.fullmatch(r"[a-z0-9_/]+(\.(py|html|css|js))", one)]

    assert ("agent", "controller") in FORBIDDEN
    assert [one for one in names if one.startswith("controller")] == []
    assert odd == []


def test_no_file_of_a_state_directory_is_taken(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Such files may lie in a clone: by their suffix they are left out."""
    lying = ROOT / "agent" / "identity-for-a-test.json"
    lying.write_text('{"key": "hush"}')
    try:
        assert not any("identity-for-a-test" in name for name in found_sources())
    finally:
        lying.unlink()


def test_its_record_names_every_file_with_its_hash(wheel: zipfile.ZipFile) -> None:
    record = wheel.read("lango-0.1.0.dist-info/RECORD").decode().splitlines()
    told = dict(line.split(",")[:2] for line in record)
    counted = {
        name: "sha256="
        + base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
        for name in wheel.namelist()
        if not name.endswith("/RECORD")
    }

    assert told == counted | {"lango-0.1.0.dist-info/RECORD": ""}


def test_what_the_agent_needs_is_pinned_and_hashed_as_for_the_controller() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "packaging" / "requirements" / name).read_text()
        return dict(re.findall(r"(?m)^([a-z0-9.-]+(?:\[[a-z]+\])?)==(\S+)", text))

    agents, ours = pins("agent.txt"), pins("run.txt")
    requirements = members(bundle().content)["requirements.txt"].decode()

    assert {"grpcio", "pyroute2", "cryptography"} <= agents.keys()
    assert {name: ours.get(name) for name in agents} == agents
    assert not {"fastapi", "sqlalchemy"} & agents.keys()
    assert requirements.count("--hash=sha256:") >= requirements.count("==")
