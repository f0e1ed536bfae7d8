"""House rules that are tests, each with its reason."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.test_imports import PRODUCT, ROOT, imported, name_of, tree_of

if TYPE_CHECKING:
    from pathlib import Path

BANNED_WORDS = {
    "utils": "says nothing; name the subject",
    "helpers": "says nothing; name the subject",
    "common": "says nothing; name the subject",
    "manager": "say what it does",
    "service": "say what it does",
    "base": "compose functions; do not inherit to share code",
}
LOCK_FILES = (
    "package-lock.json",
    "packaging/requirements/run.txt",
    "packaging/requirements/dev.txt",
    "packaging/requirements/agent.txt",
)
IGNORES_PER_KLOC_MAX = 1.0


def pure_files() -> list[Path]:
    return [
        p
        for p in PRODUCT
        if "PURE" in (ast.get_docstring(tree_of(p)) or "").split("\n\n")[0]
        or name_of(p).startswith("billing/")
    ]


def test_every_package_opens_with_a_front_page() -> None:
    bare = [
        name_of(p) for p in PRODUCT if p.name == "__init__.py" and not ast.get_docstring(tree_of(p))
    ]

    assert bare == [], "a newcomer reads the package's first sentence first"


def test_every_folder_with_python_is_a_package() -> None:
    folders = {p.parent for p in PRODUCT} | {p.parent for p in (ROOT / "tests").rglob("*.py")}
    bare = [
        str(f.relative_to(ROOT))
        for f in folders
        if not (f / "__init__.py").exists() and "migrations" not in f.parts
    ]

    assert sorted(bare) == [], "tests shadow the product unless all of them are packages"


def test_packaging_and_proto_shadow_nothing() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists(), "it would shadow the library"
    assert not (ROOT / "proto" / "__init__.py").exists(), "it would shadow the library"


def test_no_name_is_empty_of_meaning() -> None:
    guilty = [
        f"{name_of(p)}: {word}"
        for p in PRODUCT
        for word in BANNED_WORDS
        if word in re.split(r"[_/.]", name_of(p))
    ]

    assert guilty == []


def test_pure_files_hold_no_float_no_clock_and_no_waiting() -> None:
    guilty = []
    for path in pure_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                guilty.append(f"{name_of(path)}:{node.lineno} float literal")
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                guilty.append(f"{name_of(path)}:{node.lineno} division makes floats")
            if isinstance(node, ast.Name) and node.id == "float":
                guilty.append(f"{name_of(path)}:{node.lineno} float")
            if isinstance(node, ast.AsyncFunctionDef) and not _only_declares(node):
                guilty.append(f"{name_of(path)}:{node.lineno} waits")

    assert guilty == [], "money, rates and rules are integers, and time is an argument"


def _only_declares(node: ast.AsyncFunctionDef) -> bool:
    """Whether the body is a docstring and an ellipsis: a Protocol's method."""
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in node.body
    )


def test_pure_files_import_no_world() -> None:
    world = {"asyncio", "socket", "subprocess", "sqlite3", "os", "random", "secrets", "threading"}
    guilty = [
        f"{name_of(p)}: {sorted(imported(p) & world)}" for p in pure_files() if imported(p) & world
    ]

    assert guilty == [], "a pure file can be run anywhere, any number of times"


def test_dataclasses_of_pure_files_are_frozen_and_slotted() -> None:
    guilty = []
    for path in pure_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                for mark in node.decorator_list:
                    text = ast.unparse(mark)
                    if text.startswith("dataclass") and not (
                        "frozen=True" in text and "slots=True" in text
                    ):
                        guilty.append(f"{name_of(path)}: {node.name}")

    assert guilty == [], "plain values do not change behind anybody's back"


def test_nothing_is_patched_by_its_dotted_name() -> None:
    # Built from parts, so that this file does not accuse itself.
    patches = ("mock" + ".patch", "monkeypatch" + ".setattr")
    guilty = [
        f"{p.relative_to(ROOT)}: {word}"
        for p in (ROOT / "tests").rglob("*.py")
        for word in patches
        if word in p.read_text()
    ]

    assert guilty == [], "a fake ships beside every seam; composition roots choose"


def test_nobody_waits_in_a_way_that_may_lose_a_cancellation() -> None:
    guilty = [
        f"{name_of(p)}:{node.lineno}"
        for p in PRODUCT
        for node in ast.walk(tree_of(p))
        if isinstance(node, ast.Attribute) and node.attr == "wait_for"
    ]

    assert guilty == [], (
        "asyncio.wait_for swallows one before Python 3.12; asyncio.timeout does not"
    )


def test_no_test_is_skipped() -> None:
    words = ("pytest" + ".skip", "mark" + ".skip", "mark" + ".xfail", "importor" + "skip")
    guilty = [
        f"{p.relative_to(ROOT)}: {word}"
        for p in (ROOT / "tests").rglob("*.py")
        for word in words
        if word in p.read_text()
    ]

    assert guilty == [], "what is not run is not known"


def test_asserts_are_never_switched_off() -> None:
    shipped = [p for p in (ROOT / "packaging").rglob("*") if p.is_file()]
    guilty = [
        name_of(p)
        for p in [*shipped, ROOT / "Makefile"]
        if re.search(r"python3? -O|PYTHONOPTIMIZE", p.read_text())
    ]

    assert guilty == [], "asserts state invariants; they run in production"


def test_lint_and_type_ignores_are_rare() -> None:
    lines = sum(len(p.read_text().splitlines()) for p in PRODUCT)
    ignores = sum(p.read_text().count("type: ignore") for p in PRODUCT)

    assert ignores * 1000 <= lines * IGNORES_PER_KLOC_MAX


@pytest.mark.parametrize("name", LOCK_FILES)
def test_a_lock_file_records_hashes_and_no_download_address(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text, "packages come from wherever the machine is set up to get them"
    assert "sha256:" in text or "sha512-" in text
