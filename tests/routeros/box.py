"""The box: its tables, its clock, its reboots; what devices do to it, and what staff do by hand."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from tests.routeros import behaviour, hotspot, ppp, traffic
from tests.routeros.commands import Caller, run, written_by_hand
from tests.routeros.faults import Faults, Struck
from tests.routeros.menus import menus
from tests.routeros.menus_system import READ_WORDS, V6_RIGHTS, V7_RIGHTS
from tests.routeros.table import Row, Table
from tests.routeros.texts import SECOND_US, Version, date_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.routeros.radius import Client
    from tests.routeros.traffic import Passed

T = TypeVar("T")
LOG_ROWS_MAX = 1_000
BEFORE_NTP = datetime(1970, 1, 2, tzinfo=UTC)
"""What a box without a clock battery believes at each start."""

FORGOTTEN = ("/ip/hotspot/active", "/ip/hotspot/host", "/ppp/active", "/user/active", "/log")
"""Menus that a reboot empties."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a box is made: a fresh one, with a hotspot on its bridge, unless told otherwise."""

    version: Version
    users: Mapping[str, str]
    hotspot: bool = True
    clock: Callable[[], float] = lambda: 0.0
    starts_at: datetime = datetime(2026, 2, 14, 10, 0, tzinfo=UTC)
    clock_1970: bool = False
    sessions_max: int = 20
    counter_bits: int = 64
    seed: int = 1
    follows: bool = False


@dataclass(slots=True)
class Box:
    """One RouterOS box.

    Times are seconds on a clock that stands still until `pass_time` moves it, or follows
    ``setup.clock``. ``sentences`` counts the API's, in and out.
    """

    setup: Setup
    struck: Struck
    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int = 0
    certificate_pem: bytes = b""
    tables: dict[str, Table] = field(default_factory=dict)
    sentences: int = 0
    moved_s: float = 0.0
    booted_s: float = 0.0
    wall_at_boot: datetime = BEFORE_NTP
    boots: int = 0
    deadlines: list[tuple[float, int, str, Row]] = field(default_factory=list)
    on_reboot: list[Callable[[], None]] = field(default_factory=list)
    drawn: dict[str, tuple[int, Any]] = field(default_factory=dict)
    entries: int = 0
    radius: Client | None = None

    def __post_init__(self) -> None:
        self.tables = {path: Table(menu) for path, menu in menus(self.version).items()}
        self.booted_s = self.now_s
        self.wall_at_boot = BEFORE_NTP if self.setup.clock_1970 else self.setup.starts_at
        fresh(self)

    @property
    def faults(self) -> Faults:
        """What goes wrong now; given anew, counts begin anew."""
        return self.struck.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.struck = Struck(faults)

    @property
    def version(self) -> Version:
        """The RouterOS version that runs."""
        return self.setup.version

    @property
    def now_s(self) -> float:
        """Seconds on a clock that no reboot touches."""
        return self.setup.clock() + self.moved_s

    @property
    def uptime_us(self) -> int:
        """Microseconds since the last boot, whole seconds."""
        return int(self.now_s - self.booted_s) * SECOND_US

    @property
    def wall(self) -> datetime:
        """The time of day as the box believes it."""
        return self.wall_at_boot + timedelta(seconds=int(self.now_s - self.booted_s))

    @property
    def stamp(self) -> str:
        """That time as this version prints it."""
        return date_time(self.wall, self.version)

    def set_wall(self, moment: datetime) -> None:
        """Somebody, or NTP, sets the clock."""
        self.wall_at_boot += moment - self.wall

    def pass_time(self, seconds: float) -> None:
        """Time goes by; whatever runs out on the way ends in its order."""
        until = self.now_s + seconds
        while self.deadlines and self.deadlines[0][0] <= until:
            self.moved_s += max(0.0, self.deadlines[0][0] - self.now_s)
            self.settle()
        self.moved_s += max(0.0, until - self.now_s)

    def end_in(self, path: str, row: Row, seconds: float | None) -> None:
        """The row of ``path`` ends by itself after ``seconds``; None: it no longer does."""
        row.ends_s = None if seconds is None else self.now_s + seconds
        if row.ends_s is not None:
            self.entries += 1
            heapq.heappush(self.deadlines, (row.ends_s, self.entries, path, row))

    def settle(self) -> None:
        """Everything whose time has run out ends."""
        if self.radius is not None:
            self.radius.look()
        while self.deadlines and self.deadlines[0][0] <= self.now_s:
            ends_s, _, path, row = heapq.heappop(self.deadlines)
            alive = self.table(path).by_number.get(row.number) is row
            if alive and row.ends_s == ends_s:
                behaviour.run_out(self, path, row)

    def table(self, path: str) -> Table:
        """The rows of a menu. Raises KeyError for a menu that this version has not."""
        return self.tables[path]

    def named(self, path: str, name: str) -> str | None:
        """The name of the row of ``path`` that a name or an id stands for."""
        row = self.table(path).find(name)
        return None if row is None else row.words.get("name", row.id)

    def drawn_from(self, path: str, draw: Callable[[Table], T]) -> T:
        """What ``draw`` makes of a table, kept until the table changes."""
        table = self.table(path)
        key = f"{path} {draw.__qualname__}"
        version, made = self.drawn.get(key, (-1, None))
        if version != table.version:
            made = draw(table)
            self.drawn[key] = (table.version, made)
        found: T = made
        return found

    def log(self, topics: str, message: str) -> None:
        """A line in the box's log, which forgets its oldest ones."""
        table = self.table("/log")
        words = {"time": self.stamp, "topics": topics, "message": message}
        table.add(words, self.now_s)
        if len(table) > LOG_ROWS_MAX:
            table.remove(next(iter(table)))

    def shown(self, path: str, row: Row) -> dict[str, str]:
        """Everything that print tells of a row."""
        identity = {} if self.table(path).menu.single else {".id": row.id}
        return {**identity, **row.words, **behaviour.live(self, path, row)}

    def rows(self, path: str) -> list[dict[str, str]]:
        """The rows of a menu, whole, as print would give them to somebody with every right."""
        self.settle()
        return [self.shown(path, row) for row in self.table(path)]

    def edit(self, path: str, row_id: str, **words: str | None) -> None:
        """Staff change a row: ``max_limit="1M/1M"``; None takes a word away. Raises Trap.

        The one row of a menu that has just one has no id: "".
        """
        which = [f"=.id={row_id}"] if row_id else []
        run(self, Caller.staff(), [f"{path}/set", *which, *written_by_hand(words)])
        for name in (n.replace("_", "-") for n, value in words.items() if value is None):
            run(self, Caller.staff(), [f"{path}/unset", f"=.id={row_id}", f"=value-name={name}"])

    def add(self, path: str, **words: str) -> str:
        """Staff add a row by hand; its id. Raises Trap."""
        answer = run(self, Caller.staff(), [f"{path}/add", *written_by_hand(words)])
        return answer.last[1].removeprefix("=ret=")

    def remove(self, path: str, row_id: str) -> None:
        """Staff remove a row by hand. Raises Trap."""
        run(self, Caller.staff(), [f"{path}/remove", f"=.id={row_id}"])

    def plant(self, path: str, row_id: str, **words: str | None) -> None:
        """A row becomes what no command would make of it: nothing is checked."""
        told = {name.replace("_", "-"): value for name, value in words.items()}
        self.table(path).change(self.table(path).picked(row_id)[0], told)

    def pass_bytes(
        self, address: str, *, up: int = 0, down: int = 0, mac: str = "", to: str = ""
    ) -> Passed:
        """A device sends and gets these layer-3 bytes, if the box lets it; what really passed.

        ``to`` is a name or an address in the walled garden, or elsewhere; empty: the internet.
        """
        self.settle()
        return traffic.passed(self, address, up, down, mac=mac, to=to)

    def join(self, mac: str, address: str = "", *, name: str = "") -> str:
        """A device comes into the LAN and gets an address, this one if told; the address."""
        self.settle()
        return hotspot.joined(self, mac, address, name)

    def leave(self, address: str) -> None:
        """A device is gone; the box notices when its keepalive is over."""
        hotspot.left(self, address)

    def sign_in(self, user: str, password: str, address: str) -> None:
        """A device signs in on the box's own hotspot page. Raises Trap with what the page says."""
        self.settle()
        hotspot.sign_in(self, user, password, address, how="http-chap")

    def sign_out(self, address: str) -> None:
        """The device at ``address`` signs out. It must be signed in."""
        row = hotspot.active_at(self, address)
        assert row is not None, "nobody is signed in there"
        hotspot.signed_out(self, row, "user-request")

    def dial(self, name: str, password: str, mac: str = "48:A9:8A:AA:BB:01") -> str:
        """A PPPoE client dials in; its address. Raises Trap when it is refused."""
        self.settle()
        return ppp.dialled(self, name, password, mac)

    async def dial_in(
        self,
        name: str,
        password: str,
        mac: str = "48:A9:8A:AA:BB:01",
        *,
        way: str = "pap",
    ) -> str:
        """The same, asking a RADIUS server (by ``pap`` or ``chap``) where the box is set so."""
        self.settle()
        if self.radius is not None and self.radius.asks(name):
            return await self.radius.dial(name, password, mac, way=way)
        return ppp.dialled(self, name, password, mac)

    def hang_up(self, name: str) -> None:
        """That PPPoE client hangs up. It must be online."""
        ppp.hung_up(self, self.table("/ppp/active").picked(name)[0], "peer-request")

    def reboot(self) -> None:
        """The box goes down in good order and is up again at once: every connection is cut."""
        for row in list(self.table("/ip/hotspot/active")):
            hotspot.signed_out(self, row, "admin-reboot")
        self.power_cut()

    def power_cut(self) -> None:
        """The box loses power and comes back: use since the last sign-in is forgotten."""
        wall = self.wall
        if self.radius is not None:
            self.radius.forget()
        for path, table in self.tables.items():
            table.renumber({row.number for row in table if behaviour.survives(path, row)})
        self.deadlines = [d for d in self.deadlines if d[3].number in self.table(d[2]).by_number]
        self.booted_s = self.now_s
        self.wall_at_boot = BEFORE_NTP if self.setup.clock_1970 else wall
        self.boots += 1
        self.log("system,info", "router rebooted")
        for cut in tuple(self.on_reboot):
            cut()


def fresh(box: Box) -> None:
    """What a box holds when it was just set up."""
    for path, table in box.tables.items():
        for start in table.menu.starts or ([{}] if table.menu.single else []):
            planted(box, path, **start)
    rights = V6_RIGHTS if box.version < Version(7) else V7_RIGHTS
    for group, given in (
        ("read", READ_WORDS),
        ("write", READ_WORDS + ",write"),
        ("full", rights),
    ):
        run(box, Caller.staff(), ["/user/group/add", f"=name={group}", f"=policy={given}"])
    for name, password in box.setup.users.items():
        planted(box, "/user", name=name, group="full", password=password)
    _network(box)
    for row in box.table("/ip/service"):
        if "max-sessions" in row.words:
            row.words["max-sessions"] = str(box.setup.sessions_max)
    if box.setup.hotspot:
        _hotspot(box)
    box.log("system,info", "router rebooted")


def planted(box: Box, path: str, **words: str) -> Row:
    """A row put into a menu with its defaults, unchecked."""
    table = box.table(path)
    told = dict(words)
    number = told.pop(".id", None)
    known = {n: v for n, v in told.items() if n in table.menu.attributes}
    full = {**table.menu.defaults(), **known}
    return table.add(full, box.now_s, int(number[1:], 16) if number else None)


def _network(box: Box) -> None:
    for number, (name, kind) in enumerate((("ether1", "ether"), ("bridge", "bridge")), start=1):
        hardware = {"default-name": name, "l2mtu": "1596"} if kind == "ether" else {}
        planted(
            box,
            "/interface",
            name=name,
            type=kind,
            mtu="1500",
            **{"mac-address": f"48:A9:8A:00:00:0{number}", "last-link-up-time": box.stamp},
            **hardware,
        )
    for interface, address, network in (
        ("ether1", "192.168.1.2/24", "192.168.1.0"),
        ("bridge", "10.5.50.1/16", "10.5.0.0"),
    ):
        words = {"interface": interface, "address": address, "network": network}
        planted(box, "/ip/address", **words, **{"actual-interface": interface})
    planted(box, "/ip/pool", name="hs-pool", ranges="10.5.50.10-10.5.59.250")
    planted(box, "/ip/pool", name="pppoe-pool", ranges="10.20.0.10-10.20.39.250")
    for name, port in (
        ("telnet", 23), ("ftp", 21), ("www", 80), ("ssh", 22), ("www-ssl", 443),
        ("api", 8728), ("winbox", 8291), ("api-ssl", 8729),
    ):  # fmt: skip
        secure = {"certificate": "none"} if name.endswith("-ssl") else {}
        planted(box, "/ip/service", name=name, port=str(port), proto="tcp", **secure)
    planted(box, ppp.SERVER, interface="bridge", disabled="false")
    server = {"interface": "bridge", "address-pool": "hs-pool", "lease-time": "1h"}
    planted(box, "/ip/dhcp-server", name="dhcp1", **server)
    packages = ("routeros",) if box.version >= Version(7) else ("system", "ppp", "hotspot", "dhcp")
    for name in packages:
        planted(box, "/system/package", name=name, version=str(box.version))


def _hotspot(box: Box) -> None:
    profile = {"hotspot-address": "10.5.50.1", "dns-name": "login.example.net"}
    planted(box, "/ip/hotspot/profile", name="hsprof1", **profile)
    words = {"address-pool": "hs-pool", "profile": "hsprof1"}
    planted(box, "/ip/hotspot", name="hotspot1", interface="bridge", **words)
