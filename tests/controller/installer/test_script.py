"""The install script: good for every shell, deaf to names of sites, clear when it refuses."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.installer.script import (
    BODY,
    Words,
    careful_command,
    command,
    refusing,
    sum_of,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

WORDS = Words(
    site_id="estate-1",
    site_name="Estate 1",
    operator_name="Mtaa Net",
    address="http://127.0.0.1:9/i/7QX2-M4PD-9HTR",
    join_address="127.0.0.1:8444",
    token="lango1.abc",
    bundle_sha256="0" * 64,
)
HOSTILE = (
    "O'Malley's $(touch PWNED) `touch PWNED`",
    "'; touch PWNED; '",
    "\\'; touch PWNED #",
    '"; touch PWNED; "',
    "-n \\c %s ${PATH} $IFS & | > PWNED",
    "END",
    "Kĩambu « 網吧 »",
)
SHELLS = (("dash",), ("bash", "--posix"))


def ran(
    script: bytes, *options: str, shell: tuple[str, ...] = ("sh",), cwd: Path
) -> tuple[int, str]:
    """The exit code of a script that is piped into a shell, and all that it said."""
    done = subprocess.run(
        [*shell, "-s", "--", *options],
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        check=False,
        timeout=30,
        start_new_session=True,  # without a terminal to ask at
    )
    return done.returncode, done.stdout.decode()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Where a gateway has been configured: then the script asks for no interface."""
    (tmp_path / "box/etc/lango").mkdir(parents=True)
    (tmp_path / "box/etc/lango/agent.toml").write_text("")
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS, ids=lambda one: one[0])
def test_every_shell_can_read_it(shell: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_bytes(written(WORDS))

    assert subprocess.run([*shell, "-n", str(path)], check=False).returncode == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_site_is_called_is_said_and_never_run(name: str, tree: Path) -> None:
    script = written(replace(WORDS, site_name=name, operator_name=name))
    code, told = ran(script, "--dry-run", "--root", f"{tree}/box", cwd=tree)

    assert code == 0, told
    assert f"gateway of {name} (site estate-1) of {name}:" in told
    assert not (tree / "PWNED").exists()


def test_a_hostile_address_is_one_word_of_the_script_and_of_the_command(tree: Path) -> None:
    address = "http://127.0.0.1:9/$(touch${IFS}PWNED);'touch${IFS}PWNED'/i/7QX2-M4PD-9HTR"
    ran(written(replace(WORDS, address=address)), "--root", f"{tree}/box", cwd=tree)
    for typed in (command(address), careful_command(address, "0" * 64)):
        fetch = typed.partition(" | ")[0].partition(" && ")[0].replace("curl", "true", 1)
        subprocess.run(["sh", "-c", fetch], cwd=tree, check=True)

    assert not (tree / "PWNED").exists()


def test_a_script_that_was_cut_off_does_nothing(tree: Path) -> None:
    whole = written(WORDS)
    for share in (3, 2):
        code, told = ran(whole[: len(whole) // share], "--dry-run", cwd=tree)
        assert "Makes this machine" not in told
    shorn = whole[: whole.rindex(b"\nmain ") + 1]
    code, told = ran(shorn, "--dry-run", cwd=tree)

    assert (code, told) == (0, "")


def test_a_refusal_says_one_sentence_and_fails(tmp_path: Path) -> None:
    code, told = ran(refusing("it's over: $(touch PWNED)"), cwd=tmp_path)

    assert (code, told) == (1, "lango: it's over: $(touch PWNED)\n")
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--lan"], "--lan wants a value behind it"),
        (["--frobnicate"], "there is no option --frobnicate; --help says which there are"),
        (["--root", "here"], "--root: want a path that begins with /"),
        (["--root", "/a b"], "--root: want a path of letters, digits, ., _, - and /"),
        (["--lan", "a;b", "--wan", "lo"], "'a;b' is no name of an interface"),
        (["--lan", "nowhere0", "--wan", "lo"], "there is no interface nowhere0 here"),
        (["--lan", "lo", "--wan", "lo"], "lo cannot lead to the devices and to the internet"),
        (["--address", "$(x)"], "--address: want something like 10.0.0.1/24"),
        (["--range", "all"], "--range: want something like 10.0.0.50-10.0.0.250"),
    ],
)
def test_what_it_cannot_do_it_refuses_by_name(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    under = [] if "--root" in options else ["--root", f"{tmp_path}/box"]
    code, told = ran(written(WORDS), "--dry-run", *under, *options, cwd=tmp_path)

    assert code == 1
    assert f"lango: {sentence}" in told


def test_a_python_that_is_too_old_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tree / "python"
    old.write_text(
        '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; -V) echo Python 3.9.2;; esac\n'
    )
    old.chmod(0o755)
    monkeypatch.setenv("LANGO_PYTHON", str(old))
    code, told = ran(written(WORDS), "--dry-run", "--root", f"{tree}/box", cwd=tree)

    assert code == 1
    assert "Python 3.11 or newer is wanted" in told
    assert "this is Python 3.9.2" in told


def test_help_says_every_option(tmp_path: Path) -> None:
    code, told = ran(written(WORDS), "--help", cwd=tmp_path)
    known = {one for one in BODY.read_text().split() if one.startswith("--")}

    assert code == 0
    options = {"--dry-run", "--lan", "--wan", "--address", "--range", "--replace", "--no-start"}
    assert {one for one in options | {"--root"} if one not in told} == set()
    assert options <= {one.rstrip(")|") for one in known}


def test_the_sum_is_what_sha256sum_says(tmp_path: Path) -> None:
    script = written(WORDS)
    (tmp_path / "lango.sh").write_bytes(script)
    check = careful_command("http://x/i/A", sum_of(script)).split(" && ")[1]

    assert subprocess.run(["sh", "-c", check], cwd=tmp_path, check=False).returncode == 0


BESIDE = ("--router", "10.9.0.1", "--address", "10.9.0.2")


def test_beside_a_router_it_says_who_forwards_and_that_it_starts_nothing(tmp_path: Path) -> None:
    code, told = ran(
        written(WORDS), "--dry-run", "--root", f"{tmp_path}/box", *BESIDE, cwd=tmp_path
    )

    assert code == 0, told
    assert "the router 10.9.0.1 forwards, devices on its bridge, this machine is 10.9.0.2" in told
    assert "the line that is pasted into the router first" in told
    assert "beside the router of " in told
    assert "gateway" not in told


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--router", "10.9.0.1;x", "--address", "10.9.0.2"), "--router: want the router's"),
        ((*BESIDE, "--lan", "ether1"), "ether1 cannot lead to the devices and to the internet"),
        ((*BESIDE, "--lan", "a b"), "'a b' is no name of an interface"),
    ],
)
def test_beside_a_router_what_cannot_be_is_refused(
    options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    code, told = ran(
        written(WORDS), "--dry-run", "--root", f"{tmp_path}/box", *options, cwd=tmp_path
    )

    assert code == 1
    assert sentence in told
