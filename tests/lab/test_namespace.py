"""A namespace is ours alone, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.netns import Namespace, NamespaceError

pytestmark = pytest.mark.root


def test_a_new_namespace_holds_only_loopback() -> None:
    with Namespace("fresh") as ns:
        links = ns.run("ip", "-o", "link")

    assert [line.split(": ")[1] for line in links.splitlines()] == ["lo"]


def test_a_socket_belongs_to_the_namespace_it_was_made_in() -> None:
    with Namespace("web") as ns:
        ns.ip("link set lo up", "addr add 192.0.2.1/32 dev lo")
        with ns.socket() as made:
            made.bind(("192.0.2.1", 80))

            assert made.getsockname() == ("192.0.2.1", 80)


def test_a_failing_command_says_what_it_wrote() -> None:
    with Namespace("odd") as ns, pytest.raises(NamespaceError, match="odd: ip link set nowhere up"):
        ns.run("ip", "link", "set", "nowhere", "up")


def test_a_setting_made_inside_is_not_made_outside() -> None:
    before = _forwarding()
    with Namespace("router") as ns:
        ns.sysctl({"ipv4/ip_forward": "1"})
        inside = ns.run("cat", "/proc/sys/net/ipv4/ip_forward").strip()

    assert (inside, _forwarding()) == ("1", before)


def test_a_process_inside_dies_with_the_one_that_started_it() -> None:
    script = (
        "import signal; from tests.support.netns import Namespace\n"
        "print(Namespace('x').popen('sleep', '60').pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = os.pidfd_open(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    with os.fdopen(child) as ended:
        ready = _readable_within(ended.fileno(), seconds=5)

    assert ready


def _forwarding() -> str:
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as knob:  # noqa: PTH123 -- as the code under test does
        return knob.read()


def _readable_within(fd: int, *, seconds: float) -> bool:
    import select

    return bool(select.select([fd], [], [], seconds)[0])
