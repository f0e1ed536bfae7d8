"""Who may import whom. Each ban carries its reason; if it is not a test, it erodes."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("billing", "shaping", "portal", "agent", "controller", "wirepb")

FORBIDDEN: dict[tuple[str, str], str] = {
    ("billing", "*"): "money rules are pure: the standard library and nothing else",
    ("shaping", "billing"): "the data plane knows no money",
    ("shaping", "agent"): "the plane is told what to do; it does not know by whom",
    ("shaping", "controller"): "the plane runs on the box",
    ("shaping", "portal"): "the plane shows nothing to anybody",
    ("shaping", "wirepb"): "the wire ends before the plane",
    ("portal", "agent"): "the portal sees the site through its Gate only",
    ("portal", "controller"): "the captive portal works with the centre gone",
    ("portal", "shaping"): "pages move no packets",
    ("portal", "wirepb"): "the wire ends before the page",
    ("agent", "controller"): "boxes do not carry the centre's code",
    ("agent", "fastapi"): "boxes are small",
    ("agent", "sqlalchemy"): "boxes are small",
    ("agent", "pydantic"): "boxes are small",
    ("agent", "typer"): "boxes are small",
    ("agent", "rich"): "boxes are small",
    ("agent", "structlog"): "boxes are small: it brings rich along where that is installed",
    ("portal", "fastapi"): "the captive portal runs on the box, and boxes are small",
    ("portal", "pydantic"): "the captive portal runs on the box, and boxes are small",
    ("controller", "agent"): "the centre talks to agents over the wire only",
    ("controller", "shaping"): "the centre moves no packets",
    ("*", "httpx"): "httpx2 is the maintained successor",
    ("*", "agent.probes.child"): "a program of its own, run and never imported: it brings scapy",
    ("*", "unittest.mock"): "a fake ships beside every seam; nothing is patched",
}

SCAPY_FOLDER = "agent/probes/child/"
"""scapy is GPL-2.0-only, 80 MB large and reads hostile packets: it lives in a program that takes
one order as JSON, gives up its privileges, answers with JSON and ends."""

WIRE_FILES = ("wire.py",)
WIRE_FOLDERS = ("agent/uplink", "controller/edge")
SQL_FOLDERS = ("controller/store",)
SQL_FILES = (
    "controller/noc/views.py",
    "controller/noc/accounts.py",
    "controller/noc/charges.py",
    "controller/noc/incoming.py",
    "controller/noc/networks.py",
    "controller/noc/audit_log.py",
    "controller/noc/money_views.py",
    "controller/noc/voucher_views.py",
)
CLOCK_FILES = ("agent/clock.py", "controller/main.py")


def sources(top: str) -> list[Path]:
    return sorted(p for p in (ROOT / top).rglob("*.py"))


PRODUCT = [
    p for top in ("billing", "shaping", "portal", "agent", "controller") for p in sources(top)
]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


@cache
def imported(path: Path) -> frozenset[str]:
    names = set[str]()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{name_of(path)} imports relatively; say the whole name"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def reaches(path: Path, module: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in imported(path))


@pytest.mark.parametrize(("importer", "module"), [k for k in FORBIDDEN if k[1] != "*"])
def test_a_forbidden_import_is_absent(importer: str, module: str) -> None:
    paths = PRODUCT if importer == "*" else sources(importer)
    own = f"{module.replace('.', '/')}/"
    guilty = [name_of(p) for p in paths if reaches(p, module) and not name_of(p).startswith(own)]

    assert guilty == [], FORBIDDEN[importer, module]


def test_billing_imports_the_standard_library_and_itself_only() -> None:
    import sys

    tops = {name.split(".")[0] for p in sources("billing") for name in imported(p)}

    assert tops - {"billing"} <= sys.stdlib_module_names, FORBIDDEN["billing", "*"]


def test_scapy_stays_in_the_program_that_looks_at_the_network() -> None:
    guilty = [
        name_of(p)
        for p in PRODUCT
        if reaches(p, "scapy") and not name_of(p).startswith(SCAPY_FOLDER)
    ]

    assert guilty == [], "what lives long, or is not GPL-2.0-only, does not load it"


def test_captive_portal_is_all_of_the_portal_that_an_agent_imports() -> None:
    names = {n for p in sources("agent") for n in imported(p) if n.startswith("portal")}

    assert all(n == "portal" or n.startswith("portal.captive") for n in names)


def test_wire_types_stay_at_the_wire() -> None:
    guilty = [
        name_of(p)
        for p in PRODUCT
        if reaches(p, "wirepb")
        and p.name not in WIRE_FILES
        and not name_of(p).startswith(WIRE_FOLDERS)
    ]

    assert guilty == [], "protobuf messages are turned into our own values at the wire"


def test_sql_stays_in_the_store() -> None:
    guilty = [
        name_of(p)
        for p in sources("controller")
        if reaches(p, "sqlalchemy")
        and not name_of(p).startswith(SQL_FOLDERS)
        and name_of(p) not in SQL_FILES
    ]

    assert guilty == [], (
        "SQL lives in controller/store, and reading queries in a few files of controller/noc"
    )


def calls_of(path: Path) -> set[str]:
    return {
        ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)
    }


def test_the_wall_clock_is_read_in_two_places_only() -> None:
    clocks = {"datetime.now", "time.time", "date.today", "datetime.utcnow", "time.time_ns"}
    guilty = [
        f"{name_of(p)}: {call}"
        for p in PRODUCT
        for call in sorted(calls_of(p) & clocks)
        if name_of(p) not in CLOCK_FILES and not name_of(p).startswith("controller/sandbox/")
    ]

    assert guilty == [], "time is an argument; the simulated world of the sandbox has its own"
