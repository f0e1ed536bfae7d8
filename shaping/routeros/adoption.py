"""What is pasted into a router once, so that an agent may work with it: RouterOS script. PURE.

The script says first what it would make, what is there, and what differs; of a thing that is
somebody else's it says so and changes nothing at all. Then it starts a scheduler that undoes
exactly what this run makes, and only then makes it. An agent that signs in over TLS removes that
scheduler (`confirm`); where the router does not let it, it leaves an entry that tells the scheduler
to let all be. Nothing here drops a packet or touches a way by which people manage the router.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shaping.routeros.rows import LISTS
from shaping.routeros.session import printed
from shaping.routeros.texts import span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

    from shaping.routeros.session import Talk

NAME = "lango"
"""Of the API user and the certificate."""

MARK = "lango-adoption"
"""Begins the comment of all that the script makes; the plane's own rows begin otherwise.

It is the name of the group and of nothing else, and the certificate's common name: these have no
comment in every version."""

UNDO, ADOPTED = "lango-undo", "lango-adopted"
"""The scheduler that undoes, and the list whose entry tells it not to."""

AGENTS = "lango-agent"
SCHEDULERS = "/system/scheduler"
MINUTES_MIN, MINUTES_MAX = 2, 60
CONFIRMED_FOR_S = 2 * MINUTES_MAX * 60
CERTIFICATE_DAYS = 3_650
SIGNING_S = 120
"""How long a small router may take to make a key."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Who is to be let in, and from where. ``portal`` is the name of the captive portal, or "".

    ``wan`` is the interface on which nobody is let in. After ``minutes`` without a sign-in all is
    undone. With ``only_look`` the script says what it would do. Where the router keeps ``secrets``
    of those who dial in, the user may see them: else a changed one could not be told from ours.
    """

    agent: IPv4Address
    lans: tuple[str, ...]
    wan: str
    password: str = field(repr=False)
    portal: str = ""
    user: str = NAME
    minutes: int = 10
    only_look: bool = False
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class _Thing:
    """One object of the router: how it is found, how ours is told from another's, how it is made.

    ``makes`` and ``undoes`` are commands.
    """

    title: str
    menu: str
    found: str
    ours: str
    makes: tuple[str, ...]
    undoes: str


def line(adoption: Adoption, major: int) -> str:
    """The script as the one line that is pasted into a terminal of the router."""
    return " ".join(text.strip() for text in script(adoption, major).splitlines())


def script(adoption: Adoption, major: int) -> str:
    """The same as a file for ``/import``."""
    return "\n".join((*_statements(adoption, major), ""))


def confirm(talk: Talk) -> bool:
    """Tell the router that the agent is in, so that nothing is undone; whether that was news.

    Raises OSError, LibRouterosError and ValueError, as the connection does.
    """
    looked = printed(SCHEDULERS, (".id", "comment"), f"?name={UNDO}")
    (waits,) = talk.ask([looked])
    ours = [row for row in waits.rows if row.get("comment", "").startswith(MARK)]
    if not ours:
        return False
    (gone,) = talk.ask([(f"{SCHEDULERS}/remove", f"=.id={ours[0]['.id']}")])
    if gone.trap is None:
        return True
    words = {"list": ADOPTED, "address": "192.0.2.2", "comment": f"{MARK} confirmed"}
    words["timeout"] = span(CONFIRMED_FOR_S)
    (told,) = talk.ask([(f"{LISTS}/add", *(f"={key}={value}" for key, value in words.items()))])
    return told.trap is None


def quoted(text: str) -> str:
    """A text as a RouterOS script writes it."""
    for letter in '\\"$':
        text = text.replace(letter, f"\\{letter}")
    return f'"{text}"'


def _statements(adoption: Adoption, major: int) -> Iterator[str]:
    things = tuple(_things(adoption))
    yield "{"
    yield ':local bad ""; :local undo "";'
    for name in (*adoption.lans, adoption.wan):
        yield _needed("/interface", f"name={quoted(name)}", f"there is no interface {name}; ")
    yield from _seen_scheduler()
    if major >= 7:  # noqa: PLR2004 - a version
        yield from _seen_device_mode()
    for number, thing in enumerate(things):
        yield from _planned(number, thing)
    yield from _planned_door(major)
    told = '"Nothing was changed: " . $bad . "mend that and paste again."'
    yield f":if ([:len $bad] > 0) do={{:put ({told})}} else={{"
    yield ':if ([:len $undo] = 0) do={:put "All is there; nothing was changed."} else={'
    if adoption.only_look:
        yield ':put "This is the plan; nothing was changed."'
    else:
        yield from _made(adoption, things, major)
    yield "}}"
    yield "}"


def _needed(menu: str, found: str, told: str) -> str:
    return f"{_if_none(menu, found)} do={{{_refused(told)}}};"


def _refused(told: str) -> str:
    """Say what keeps anything from being made, and remember it."""
    return f":put {quoted(f'! {told}')}; :set bad ($bad . {quoted(told)})"


def _if_none(menu: str, found: str) -> str:
    return f":if ([:len [{menu} find where {found}]] = 0)"


def _seen_scheduler() -> Iterator[str]:
    waits = f"{UNDO} still waits to be confirmed; "
    there = f':if ([:len [/system scheduler find where name="{UNDO}"]] > 0)'
    yield f"{there} do={{{_refused(waits)}}};"


def _seen_device_mode() -> Iterator[str]:
    """From 7.17 on a switch may keep schedulers from running; it is looked for at run time."""
    asked = quoted(":return [/system device-mode get scheduler]")
    off = "device-mode keeps schedulers from running, so nothing could be undone; "
    yield f':local mode "yes"; :do {{:set mode [[:parse {asked}]]}} on-error={{}};'
    yield f':if ($mode = false || $mode = "no") do={{{_refused(off)}}};'


def _planned(number: int, thing: _Thing) -> Iterator[str]:
    other = f"{thing.title} is there and differs, and is not touched; "
    undoes = quoted(f":do {{{thing.undoes}}} on-error={{}}; ")
    yield f":local make{number} false;"
    ours = " ".join(filter(None, (thing.found, thing.ours)))
    yield f"{_if_none(thing.menu, ours)} do={{"
    yield f"{_if_none(thing.menu, thing.found)} do={{"
    yield f":set make{number} true; :put {quoted(f'+ {thing.title}')};"
    yield f":set undo ({undoes} . $undo)}} else={{"
    yield _refused(other)
    yield f"}}}} else={{:put {quoted(f'= {thing.title}')}}};"


def _things(adoption: Adoption) -> Iterator[_Thing]:
    agent, user = str(adoption.agent), adoption.user
    comment = f"comment={quoted(f'{MARK} {agent}')}"
    name = f"name={quoted(user)}"
    policy = "policy=read,write,api" + (",sensitive" if adoption.secrets else "")
    yield _simple("user group", "/user group", f"name={MARK}", "", policy)
    rights = f"group={MARK} address={agent}/32 password={quoted(adoption.password)}"
    yield _simple("user", "/user", name, comment, rights)
    yield _certificate()
    entry = f"list={AGENTS} address={agent}"
    yield _simple("address list", "/ip firewall address-list", entry, comment, "")
    if adoption.portal:
        host = f"name={quoted(adoption.portal)}"
        yield _simple("DNS name", "/ip dns static", host, comment, f"address={agent}")
    yield _entrance(adoption, comment)


def _simple(title: str, menu: str, found: str, comment: str, more: str) -> _Thing:
    words = " ".join(part for part in (found, more, comment) if part)
    return _Thing(
        f"{title} {found.replace(chr(34), '')}",
        menu,
        found,
        comment,
        (f"{menu} add {words}",),
        f"{menu} remove [find where {' '.join(filter(None, (found, comment)))}]",
    )


def _certificate() -> _Thing:
    """Certificates have no comment: their common name says whose they are."""
    menu, found, ours = "/certificate", f'name="{NAME}"', f'common-name="{MARK}"'
    usage = "key-usage=digital-signature,key-encipherment,tls-server"
    wait = ":delay 1s; :set waited ($waited + 1)"
    printed_yet = f"[:len [/certificate get {NAME} fingerprint]]"
    return _Thing(
        f"certificate {NAME}, signed by the router itself",
        menu,
        found,
        ours,
        (
            f"{menu} add {found} {ours} key-size=2048 days-valid={CERTIFICATE_DAYS} {usage}",
            f"{menu} sign {NAME}",
            ":local waited 0",
            f":while ({printed_yet} = 0 && $waited < {SIGNING_S}) do={{{wait}}}",
        ),
        f"{menu} remove [find where {found} {ours}]",
    )


def _entrance(adoption: Adoption, comment: str) -> _Thing:
    """Where the operator's own rules drop what comes to the router, the agent still comes in."""
    menu = "/ip firewall filter"
    words = (
        f"chain=input action=accept protocol=tcp dst-port=8729 src-address-list={AGENTS}"
        f" in-interface={quoted(f'!{adoption.wan}')} {comment}"
    )
    before = f"{menu} add {words} place-before=[:pick $first 0]"
    found = f"chain=input src-address-list={AGENTS}"
    return _Thing(
        f"filter rule: {AGENTS} may come to api-ssl, not from {adoption.wan}",
        menu,
        found,
        comment,
        (
            f":local first [{menu} find where chain=input dynamic=no]",
            f":if ([:len $first] = 0) do={{{menu} add {words}}} else={{{before}}}",
        ),
        f"{menu} remove [find where {found} {comment}]",
    )


def _door(major: int) -> str:
    """api-ssl itself; newer routers have a row more for each connection."""
    only = " dynamic=no" if major >= 7 else ""  # noqa: PLR2004 - a version
    return f'/ip service find where name="api-ssl"{only}'


def _planned_door(major: int) -> Iterator[str]:
    other = "api-ssl has another certificate or other addresses, and is not touched; "
    back = f':do {{/ip service set [{_door(major)}] certificate=none address="" disabled='
    yield f":local door [{_door(major)}]; :local makedoor false;"
    yield ":local had [/ip service get $door certificate];"
    yield ":local closed [/ip service get $door disabled];"
    yield f':if ($had = "{NAME}" && !$closed) do={{:put "= api-ssl with certificate {NAME}"'
    yield "} else={"
    yield ":local from [:len [/ip service get $door address]];"
    yield ':if (([:len $had] = 0 || $had = "none") && $from = 0) do={'
    yield ':set makedoor true; :put "+ api-ssl, for the agent alone"; :local off "no";'
    yield ':if ($closed) do={:set off "yes"};'
    yield f":set undo ({quoted(back)} . $off . {quoted('} on-error={}; ')} . $undo)}} else={{"
    yield f"{_refused(other)}}}}};"


def _made(adoption: Adoption, things: tuple[_Thing, ...], major: int) -> Iterator[str]:
    stale = f"list={ADOPTED} comment={quoted(f'{MARK} confirmed')}"
    unless = f':if ([:len [/ip firewall address-list find where list="{ADOPTED}"]] = 0) do={{'
    then = f'}}; /system scheduler remove [find where name="{UNDO}"]'
    rights = "read,write,policy,test" + (",sensitive" if major < 7 else "")  # noqa: PLR2004
    yield f"/ip firewall address-list remove [find where {stale}];"
    event = f"({quoted(unless)} . $undo . {quoted(then)})"
    when = f"interval={adoption.minutes}m policy={rights}"
    yield f"/system scheduler add name={UNDO} {when} comment={quoted(MARK)} on-event={event};"
    for number, thing in enumerate(things):
        yield f":if ($make{number}) do={{{'; '.join(thing.makes)}}};"
    yield ":if ($makedoor) do={"
    words = f"certificate={NAME} address={adoption.agent}/32 disabled=no"
    yield f"/ip service set [{_door(major)}] {words}}};"
    yield f':put ("Certificate sha256 " . [/certificate get {NAME} fingerprint]);'
    minutes = f"Done. Undone in {adoption.minutes} minutes unless the agent signs in before."
    yield f":put {quoted(minutes)}"
