"""Network namespaces without a name: they live as long as somebody holds them, and no longer.

A thread unshares its network and lends us the descriptor of it. Nothing is written to
``/run/netns``, so when this process and its children are gone, killed or not, the kernel frees the
namespace with every interface in it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from controller.sandbox.mortal import mortal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

CLONE_NEWNET = 0x40000000
"""From linux/sched.h."""

RUN_WAIT_S = 20
"""A set-up command in a namespace that takes longer than this is stuck."""

Answer = TypeVar("Answer")


class NamespaceError(Exception):
    """The kernel refused a namespace, or a command inside one failed; the message says which."""


class Namespace:
    """One network namespace. Closing it, or the end of the process, lets the kernel free it.

    Raises `NamespaceError` when the kernel refuses (not root, or no namespaces in this kernel).
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._fd = _in_thread(_unshared)
        self._resolv: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go. The kernel frees the namespace once no process or socket is left inside."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def fd(self) -> int:
        """The descriptor that holds the namespace open."""
        if self._fd < 0:
            raise NamespaceError(f"namespace {self.label} is closed")
        return self._fd

    @property
    def path(self) -> str:
        """How a child that inherited `fd` names the namespace, as ``ip … netns PATH`` wants it."""
        return f"/proc/self/fd/{self.fd}"

    def resolve_with(self, resolv: Path) -> None:
        """Let processes started inside from now on see ``resolv`` as their /etc/resolv.conf."""
        self._resolv = resolv

    def argv(self, *argv: str) -> list[str]:
        """The command line that runs ``argv`` inside; the child must inherit `fd`.

        The child is killed when the thread that started it ends, however it ends.
        """
        entered = mortal("nsenter", f"--net={self.path}")
        if self._resolv is None:
            return [*entered, *argv]
        # A mount namespace of its own: the machine's resolver file is never touched.
        bind = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        mounts = ["unshare", "--mount", "--propagation", "private"]
        return [*entered, *mounts, "sh", "-c", bind, str(self._resolv), *argv]

    def run(self, *argv: str, stdin: str = "", lend: Sequence[Namespace] = ()) -> str:
        """Run a short command inside and give its output. ``lend`` are other namespaces it names.

        Raises `NamespaceError` with what the command wrote when it fails.
        """
        fds = (self.fd, *(other.fd for other in lend))
        done = subprocess.run(
            self.argv(*argv),
            input=stdin,
            pass_fds=fds,
            capture_output=True,
            text=True,
            timeout=RUN_WAIT_S,
            check=False,
        )
        if done.returncode:
            raise NamespaceError(f"{self.label}: {' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def ip(self, *lines: str, lend: Sequence[Namespace] = ()) -> None:
        """Run ``ip`` commands inside, in one batch. Raises `NamespaceError`."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n", lend=lend)

    def popen(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process inside, in its own process group; it dies with the starting thread."""
        return subprocess.Popen(
            self.argv(*argv),
            pass_fds=(self.fd,),
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            process_group=0,
        )

    def socket(
        self,
        family: socket.AddressFamily = socket.AF_INET,
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> socket.socket:
        """A non-blocking socket that belongs to this namespace, for use by the caller's own loop.

        A socket stays where it was made, whoever uses it.
        """
        made = self.call(lambda: socket.socket(family, kind))
        made.settimeout(0)  # non-blocking
        return made

    def call(self, work: Callable[[], Answer]) -> Answer:
        """Run ``work`` inside, in a thread that ends with it; its exceptions pass through."""
        fd = self.fd

        def inside() -> Answer:
            _ask(_libc().setns(fd, CLONE_NEWNET), f"entering namespace {self.label}")
            return work()

        return _in_thread(inside)

    def sysctl(self, settings: Mapping[str, str]) -> None:
        """Write ``net.…`` settings of this namespace alone (keys with slashes, after ``net/``).

        A setting that this kernel does not have is an error: `FileNotFoundError`.
        """

        def write() -> None:
            for key, value in settings.items():
                with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as knob:  # noqa: PTH123 -- /proc/sys answers only a plain write
                    knob.write(value)

        self.call(write)


def _unshared() -> int:
    _ask(_libc().unshare(CLONE_NEWNET), "making a network namespace")
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _ask(result: int, doing: str) -> None:
    if result:
        raise NamespaceError(f"{doing}: {os.strerror(ctypes.get_errno())}")


def _in_thread(work: Callable[[], Answer]) -> Answer:
    answers: list[Answer] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as fault:  # noqa: BLE001 -- carried to the caller, not swallowed
            faults.append(fault)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return answers[0]
