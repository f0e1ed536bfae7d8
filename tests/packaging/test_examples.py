"""What is shipped beside the code is right, as far as a test can see."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from agent import config as agent_config
from agent.hosting import FILES_WANTED, SITES_MAX
from controller.config import known_keys, load_settings

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
IMAGES = sorted((PACKAGING / "oci").glob("*.Dockerfile"))


ALWAYS = ("consumer_secret", "passkey", "sms_api_key", "email_password")
THREADS_OF_A_SITE = 5
"""For its disk, for codes, and for a router or three."""

MORE = (
    "initiator_password",
    "mpesa_certificate.pem",
    "airtel_client_secret",
    "paystack_secret_key",
    "bank_public_key.pem",
    "bank_password",
)
"""Files that the example of the controller names; these only where more is switched on."""


def directives(path: Path) -> list[tuple[str, str]]:
    """The directives of a unit, in order."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#["]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def a_copy(folder: Path) -> Path:
    """The example of the controller, with the secrets that it names."""
    (folder / "secrets").mkdir()
    for name in (*ALWAYS, *MORE):
        (folder / "secrets" / name).write_text("hush")
    return Path(shutil.copy(PACKAGING / "examples" / "controller.toml", folder))


def test_the_example_of_the_controller_loads(tmp_path: Path) -> None:
    settings = load_settings(a_copy(tmp_path))

    assert settings.mpesa is not None
    assert settings.edge_address == "lango.example.co.ke:8443"


def test_every_rail_of_the_example_loads_when_it_is_switched_on(tmp_path: Path) -> None:
    path = a_copy(tmp_path)
    before, mark, rest = path.read_text().partition("\n[sms]\n")
    on = re.sub(r"(?m)^# (\[\w+\]|\w+ = .*)$", r"\1", before).replace("till = ", "# ")
    path.write_text(on + mark + rest)
    settings = load_settings(path)

    assert settings.mpesa is not None
    assert (settings.mpesa.initiator, settings.mpesa.c2b) == ("langoapi", False)
    assert None not in (settings.airtel, settings.card, settings.bank)
    assert settings.http.proxies == ("127.0.0.1",)


def test_the_other_carrier_of_the_example_loads_when_it_is_switched_on(tmp_path: Path) -> None:
    path = a_copy(tmp_path)
    before, mark, text = path.read_text().partition("\n[sms]\n")
    text = re.sub(r"(?m)^# (\[sms\.http\]|\w+ = [\"\[{].*)$", r"\1", text)
    text = text.replace('kind = "africas_talking"', 'kind = "http"')
    path.write_text(before + mark + re.sub(r"(?m)^url = .postgres.*$", "", text))
    settings = load_settings(path)

    assert settings.sms is not None
    assert settings.sms.http is not None
    assert settings.sms.http.fields["message"] == "{text}"


def test_every_key_of_the_controller_is_in_its_example() -> None:
    text = (PACKAGING / "examples" / "controller.toml").read_text()
    parts = dict(re.findall(r"(?ms)^(?:# )?\[([\w.]+)\]$(.*?)(?=^(?:# )?\[[\w.]+\]$|\Z)", text))
    parts[""] = text.partition("\n[")[0]
    usual = {"mpesa.base_url", "sms.base_url"}
    missing = [
        key
        for key in known_keys()
        if key not in usual and f"{key}_file" not in known_keys() and not _is_in(parts, key)
    ]

    assert missing == []


def _is_in(parts: dict[str, str], key: str) -> bool:
    part, _, name = key.rpartition(".")
    return re.search(rf"(?m)^(# )?{name} = ", parts.get(part, "")) is not None


def test_the_example_of_the_agent_loads() -> None:
    config = agent_config.load(PACKAGING / "examples" / "agent.toml")

    assert (config.plane, config.lan) == ("linux", "br-lan")


def test_the_example_of_a_site_with_a_router_loads() -> None:
    config = agent_config.load(PACKAGING / "examples" / "agent-mikrotik.toml")

    (router,) = config.routers
    assert (config.plane, str(router.portal)) == ("routeros", "10.9.0.2")


def test_the_example_of_a_site_with_nases_alone_loads() -> None:
    config = agent_config.load(PACKAGING / "examples" / "agent-radius.toml")

    assert config.radius is not None
    assert (config.plane, [nas.name for nas in config.radius.nases]) == ("radius", ["tower-1"])


def test_the_example_of_a_site_with_several_routers_loads() -> None:
    config = agent_config.load(PACKAGING / "examples" / "agent-mikrotik-many.toml")

    assert [router.name for router in config.routers] == ["east", "west"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_has_one_directive_on_each_line(unit: Path) -> None:
    several = [line for line in unit.read_text().splitlines() if re.search(r" [A-Z]\w+=", line)]

    assert several == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "wanted",
    [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "Restart=always",
        "StateDirectoryMode=0700",
        "UMask=0077",
    ],
)
def test_a_unit_is_hardened(unit: Path, wanted: str) -> None:
    name, _, value = wanted.partition("=")

    assert (name, value) in directives(unit)


def test_the_controller_has_no_privilege() -> None:
    told = directives(PACKAGING / "systemd" / "lango-controller.service")

    assert ("CapabilityBoundingSet", "") in told


def test_the_agent_may_shape_bind_and_advertise_and_nothing_else() -> None:
    told = directives(PACKAGING / "systemd" / "lango-agent.service")

    wanted = "CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW"
    assert ("CapabilityBoundingSet", wanted) in told
    assert ("AmbientCapabilities", wanted) in told


def test_a_restart_of_the_agent_leaves_addresses_and_names() -> None:
    assert ("KillMode", "process") in directives(PACKAGING / "systemd" / "lango-agent.service")


def test_the_agent_can_tell_boots_apart() -> None:
    names = {name for name, _ in directives(PACKAGING / "systemd" / "lango-agent.service")}

    assert "ProcSubset" not in names, "it hides /proc/sys/kernel/random/boot_id"


def test_the_agents_unit_has_room_for_all_sites_that_one_process_may_have() -> None:
    """Else strangers at one portal, by holding on to connections, keep all others from theirs."""
    told = dict(directives(PACKAGING / "systemd" / "lango-agent.service"))

    assert int(told["LimitNOFILE"]) >= FILES_WANTED
    assert int(told["TasksMax"]) >= SITES_MAX * THREADS_OF_A_SITE


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    project = (PACKAGING.parent / "pyproject.toml").read_text()
    (command,) = [value for name, value in directives(unit) if name == "ExecStart"]
    program = Path(command.split()[0]).name

    assert f"\n{program} = " in project


def test_a_gateway_forwards() -> None:
    text = (PACKAGING / "sysctl.d" / "60-lango-gateway.conf").read_text()
    told = dict(line.split(" = ") for line in text.splitlines() if line and line[0] != "#")

    assert (told["net.ipv4.ip_forward"], told["net.ipv6.conf.all.forwarding"]) == ("1", "1")


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_installs_only_what_is_pinned(image: Path) -> None:
    installs = re.findall(r"pip install (.*)", image.read_text())

    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_copies_what_is_there(image: Path) -> None:
    named = re.findall(r"(?m)^COPY (?!--from)(\S+) ", image.read_text())

    assert [path for path in named if not (PACKAGING.parent / path).exists()] == []


def test_everything_that_is_shipped_is_explained() -> None:
    readme = (PACKAGING / "README.md").read_text()
    shipped = {path.name for path in PACKAGING.iterdir()} - {"README.md"}

    assert [name for name in sorted(shipped) if f"`{name}" not in readme] == []
