"""The table ``inet lango`` in the running kernel: install, verify, commit, read."""

from __future__ import annotations

import errno
import hashlib
from contextlib import closing
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from shaping.linux import wire
from shaping.linux.adopt import Held
from shaping.linux.libnftables import Nftables
from shaping.linux.netlink import (
    ASK_CHUNK,
    NETLINK_NETFILTER,
    NetlinkError,
    NetlinkSocket,
    bodies,
)
from shaping.linux.nft import (
    CHAINS,
    GARDEN_SETS,
    SETS,
    TABLE,
    TIMED,
    CutCounter,
    PutCounter,
    install_text,
    op_text,
)
from shaping.plane import PlaneError, PoolKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from shaping.diff import Garden
    from shaping.linux.nft import LinuxConfig, Op
    from shaping.linux.wire import Told
    from shaping.plane import MonotonicMs

SEAL = "seal."
"""Begins the name of the counter whose name tells what rules we installed, and how the kernel
told them back to us then. A rule changed by hand is one whose seal is broken."""

COUNTERS_BY_NAME = 40_000
"""Beyond so many, counters are asked for one by one. The kernel tells all of a table in blocks of
32 KB, and for each walks from the first counter to where it was: four times as long for twice as
many."""

Read = TypeVar("Read")


class OvertakenError(PlaneError):
    """Somebody changed the ruleset between our look and our act; look again."""


class Tables:
    """Our table, in the network namespace of the thread that makes this object.

    Its methods raise `PlaneError`.
    """

    def __init__(self, config: LinuxConfig) -> None:
        self._config = config
        self._text = install_text(config)
        self._nftables = Nftables()
        self._netlink = NetlinkSocket(NETLINK_NETFILTER)

    def close(self) -> None:
        """Give the sockets back; the table stays."""
        self._netlink.close()
        self._nftables.close()

    def generation(self) -> int:
        """A number that grows with each change that anybody makes to nftables."""
        kind, _, body = wire.generation_request()
        return wire.read_generation(self._netlink.ask(kind, body))

    def ensure_installed(self) -> str:
        """Make table and rules unless they stand as we left them; tell what was wrong, or "".

        Elements, counters and quotas are never touched.
        """
        chains, seal = self._chains(), self._seal()
        there = bool(chains)
        if there and seal in self.counted([seal], dumped=0):
            return ""
        seals = {name for name in self.counted() if name.startswith(SEAL)}
        strangers = {chain for chain, _ in chains} - CHAINS.keys()
        self._install(strangers)
        stale = [CutCounter(name) for name in sorted(seals - {self._seal()})]
        fresh = [PutCounter(self._seal())] if self._seal() not in seals else []
        self.commit([*stale, *fresh])
        if seals:
            return f"the rules of table inet {TABLE} were changed"
        return (
            f"the rules of table inet {TABLE} had no seal"
            if there
            else f"table inet {TABLE} was missing"
        )

    def held(self, now: Callable[[], MonotonicMs], counters: Collection[str] | None = None) -> Held:
        """All that our table holds, but for its rules, as of the moment of the call.

        Reading takes a while, so what is left of an element's time then is worked out. The names of
        all ``counters`` may be known already.
        """
        began = now()
        sets: dict[str, Mapping[bytes, Told]] = {}
        # Every address is a key of six sets, and names are told twice: one copy of each will do.
        names = self.counted().keys() if counters is None else counters
        name_of: dict[Told, Told] = {name: name for name in names}
        key_of: dict[bytes, bytes] = {}
        for name in SETS:
            rows = self._elements(name)
            late_ms = now() - began if name in TIMED else 0
            sets[name] = {
                key_of.setdefault(key, key): told + late_ms
                if isinstance(told, int)
                else name_of.get(told, told)
                for key, told in rows
            }
        pools = {name for name in names if name.startswith("p.")}
        return Held(
            sets,
            frozenset(name for name in names if not name.startswith(("p.", SEAL))),
            frozenset(wire.read_quota(body)[0] for _, body in self._dump(wire.quotas_request())),
            dict(_pool_number(name) for name in pools),
            frozenset().union(*(self._networks(name) for name in GARDEN_SETS)),
        )

    def counted(
        self, names: Sequence[str] = (), *, dumped: int = COUNTERS_BY_NAME
    ) -> dict[str, int]:
        """Bytes of every named counter of ours; what is gone is left out.

        With ``names``, only of these and of about as many others as are dumped before these are
        asked for.
        """
        if names:
            return self._counted_of(names, dumped)
        return dict(self._read(wire.counters_request(), wire.read_counters))

    def _counted_of(self, names: Sequence[str], dumped: int) -> dict[str, int]:
        found: dict[str, int] = {}
        with closing(NetlinkSocket(NETLINK_NETFILTER)) as once:
            for run in once.beginning(*wire.counters_request()):
                found.update(wire.read_counters(run))
                if len(found) >= dumped:
                    break
        rest = [name.encode() for name in names if name not in found]
        for length, alike in groupby(rest, len):
            question = wire.counter_question(length)
            while asked := list(islice(alike, ASK_CHUNK)):
                for run in self._netlink.answers(question, asked):
                    found.update(wire.read_counters(run))
        return found

    def commit(self, ops: Iterable[Op], *, generation: int | None = None) -> None:
        """Do all of it or nothing. With ``generation``, only if nobody changed anything since.

        Raises `OvertakenError` when somebody did, or when an object is not as we believed.
        """
        messages, behind = wire.transaction(ops, generation=generation)
        if not behind:
            return
        try:
            self._netlink.batch(messages)
        except NetlinkError as error:
            raise _explained(error, behind) from error

    def remove(self) -> None:
        """Delete the table with all that is in it."""
        self._nftables.run(f"add table inet {TABLE}\ndelete table inet {TABLE}\n")

    def _install(self, strangers: set[str]) -> None:
        try:
            self._nftables.run(install_text(self._config, strangers))
        except PlaneError:
            # A set or chain of another shape is in the way, so nothing of ours can work there.
            self._nftables.run(f"add table inet {TABLE}\ndelete table inet {TABLE}\n{self._text}")

    def _seal(self) -> str:
        """The name that a seal on what stands now would have."""
        told = hashlib.sha256()
        for chain, hook in sorted(self._chains()):
            told.update(chain.encode() + b"\0" + hook)
        for _, body in self._dump(wire.rules_request()):
            chain, expressions = wire.read_rule(body)
            told.update(chain.encode() + b"\0" + expressions)
        meant = hashlib.sha256(self._text.encode())
        return f"{SEAL}{meant.hexdigest()[:16]}.{told.hexdigest()[:16]}"

    def _chains(self) -> list[tuple[str, bytes]]:
        read = (wire.read_chain(body) for _, body in self._dump(wire.chains_request()))
        return [(chain, hook) for table, chain, hook in read if table == TABLE]

    def _networks(self, name: str) -> Garden:
        return wire.read_networks(body for _, body in self._dump(wire.elements_request(name)))

    def _elements(self, name: str) -> list[tuple[bytes, Told]]:
        return self._read(wire.elements_request(name), partial(wire.read_elements, name))

    def _dump(self, request: tuple[int, bytes]) -> list[tuple[int, bytes]]:
        return self._read(request, bodies)

    def _read(
        self, request: tuple[int, bytes], read: Callable[[bytes], Iterable[Read]]
    ) -> list[Read]:
        """What ``read`` makes of what answers the request; nothing, when the table is not there."""
        try:
            return self._netlink.collect(*request, read)
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return []
            raise PlaneError(f"reading table {TABLE}: {error}") from error


def _pool_number(name: str) -> tuple[int, PoolKey]:
    _, key, number = (*name.split("."), "", "")[:3]
    return int(number) if number.isdecimal() else -1, PoolKey(key)


def _explained(error: NetlinkError, behind: Sequence[Op]) -> PlaneError:
    if error.index == 0 or error.errno in {errno.ENOENT, errno.EEXIST, errno.EBUSY}:
        return OvertakenError(f"table {TABLE} is not as it was: {error}")
    doing = op_text(behind[min(error.index, len(behind)) - 1])
    return PlaneError(f"{doing}: {error}", retry=error.errno != errno.EINVAL)
