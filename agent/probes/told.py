"""What a probe saw: as bounded JSON for the controller, and in lines for people. PURE.

Everything here was told by the network, and some of it by somebody hostile: it is shown only after
it was read as an address, a number or one of our own words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULT_BYTES_MAX = 16_384
"""Of a result: it waits in the outbox, and may have to pass a thin link."""

ERROR_LENGTH_MAX = 300


def failed(kind: str, target: str, error: str, *, refused: bool = False) -> dict[str, Any]:
    """A result that says why there is none."""
    return {
        "kind": kind,
        "target": target,
        "outcome": "refused" if refused else "failed",
        "error": "".join(c if c.isprintable() else " " for c in error)[:ERROR_LENGTH_MAX],
    }


def bounded(result: Mapping[str, Any]) -> str:
    """A result as text of a bounded size. What of its longest list is left out is counted."""
    whole = dict(result)
    lists = sorted((key for key in whole if isinstance(whole[key], list)), key=_size_in(whole))
    while len(text := _text(whole).encode()) > RESULT_BYTES_MAX and lists:
        key = lists[-1]
        over = len(text) - RESULT_BYTES_MAX
        cut = max(1, len(whole[key]) * over // max(1, _size_in(whole)(key)))
        whole["left_out"] = whole.get("left_out", 0) + min(cut, len(whole[key]))
        whole[key] = whole[key][: max(0, len(whole[key]) - cut)]
        lists = [one for one in sorted(lists, key=_size_in(whole)) if whole[one]]
    return _text(whole)


def is_odd(result: Mapping[str, Any]) -> bool:
    """Whether the probe found something that somebody should look at."""
    return bool(result.get("odd"))


def lines(result: Mapping[str, Any]) -> list[str]:
    """A result as a tired person reads it: what is odd first, then all that was seen."""
    if result["outcome"] != "seen":
        word = "not done" if result["outcome"] == "refused" else "failed"
        return [f"{result['kind']}: {word}: {result['error']}"]
    told = [f"!! {one}" for one in result["odd"]]
    told += _SEEN[result["kind"]](result)
    if result.get("left_out"):
        told.append(f"... and {result['left_out']} more")
    return [*told, f"{result['packets']} packets, {result['took_ms']} ms"]


def _arp(result: Mapping[str, Any]) -> list[str]:
    head = f"{result['found']} devices answer in {result['swept']} (LAN {result['lan']})"
    return [head, *(f"  {one}" for one in result["devices"])]


def _dhcp(result: Mapping[str, Any]) -> list[str]:
    servers = result["servers"]
    if not servers:
        return ["no DHCP server answers on the LAN"]
    return [
        f"{one['server']} ({one['mac']}){' ours' if one['ours'] else ' NOT OURS'}: offers"
        f" {one['offers']}, gateway {one['gateway'] or 'none'}, names {one['names'] or 'none'}"
        for one in servers
    ]


def _trace(result: Mapping[str, Any]) -> list[str]:
    told = [f"the way to {result['address']}"]
    for hop in result["hops"]:
        where = hop["address"] or "no answer"
        told.append(
            f"{hop['ttl']:>3}  {where}" + ("" if hop["ms"] is None else f"  {hop['ms']} ms")
        )
    return [*told, "reached" if result["reached"] else "NOT reached"]


def _mtu(result: Mapping[str, Any]) -> list[str]:
    told = [f"packets of up to {result['mtu']} bytes reach {result['address']} whole"]
    if result["told_by"]:
        told.append(f"{result['told_by']} says so")
    return told


def _dns(result: Mapping[str, Any]) -> list[str]:
    told = [f"{result['name']} is, as they say,"]
    for one in result["servers"]:
        if one["ms"] is None:
            told.append(f"  {one['server']} ({one['whose']}): no answer")
            continue
        said = ", ".join(one["answers"]) or one["code"]
        told.append(f"  {one['server']} ({one['whose']}): {said}, {one['ms']} ms")
    return told


_SEEN = {"arp": _arp, "dhcp": _dhcp, "trace": _trace, "mtu": _mtu, "dns": _dns}


def _size_in(whole: Mapping[str, Any]) -> Any:
    return lambda key: len(_text(whole[key]).encode())


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
