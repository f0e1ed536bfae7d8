"""Elements, counters and quotas as nfnetlink messages, and dumps of them as values. PURE.

Layouts are those of linux/netfilter/nf_tables.h and nfnetlink.h.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from sys import byteorder
from typing import TYPE_CHECKING, TypeAlias

from shaping.linux.attributes import HEAD_BYTES, NESTED, attribute, attributes, first, pairs, places
from shaping.linux.messages import HEADER, split, steady
from shaping.linux.nft import (
    TABLE,
    Cut,
    CutCounter,
    CutQuota,
    Element,
    Flush,
    Put,
    PutCounter,
    PutQuota,
)
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network, IPv6Network

    from shaping.diff import Garden
    from shaping.linux.nft import Op

Message = tuple[int, int, bytes]
"""Type, flags, body."""

Told: TypeAlias = str | int | None
"""What is told of an element's key: the name of an object, a class or mark, or how many
milliseconds it has left; None for what is not told."""

_SUBSYSTEM = 10
_BEGIN, _END = 16, 17
_INET = 1
_NEWELEM, _GETELEM, _DELELEM = 12, 13, 14
_NEWOBJ, _GETOBJ, _DELOBJ = 18, 19, 20
_GETGEN, _GETCHAIN, _GETRULE = 16, 4, 7
_CREATE = 0x400

_COUNTER, _QUOTA = 1, 2
_OVER = 1
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_KEY, _DATA, _FLAGS, _TIMEOUT, _EXPIRES, _OBJREF = 1, 2, 3, 4, 5, 9
_INSIDE = dict.fromkeys((_KEY, _DATA), HEAD_BYTES)
"""What stands before the value inside an attribute that holds one."""

_INTERVAL_END = 1
_VALUE = 1
_OBJ_TABLE, _OBJ_NAME, _OBJ_TYPE, _OBJ_DATA = 1, 2, 3, 4

_HEAD = struct.Struct(">BBH")
_TABLE = attribute(_LIST_TABLE, TABLE.encode() + b"\0")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_COUNTERS_OF_OURS = _HEAD.pack(_INET, 0, 0) + _TABLE + attribute(_OBJ_TYPE, _U32.pack(_COUNTER))
_MAC_BYTES = 6
_V4_BYTES = 4


def kind_of(message: int) -> int:
    """The full netlink type of an nftables message."""
    return _SUBSYSTEM << 8 | message


def transaction(ops: Iterable[Op], *, generation: int | None) -> tuple[list[Message], list[Op]]:
    """A batch, and the operation behind each of its inner messages.

    With ``generation`` the kernel refuses the batch when anybody changed anything since.
    """
    guard = b"" if generation is None else attribute(1, _U32.pack(generation))
    messages: list[Message] = [(_BEGIN, 0, _HEAD.pack(0, 0, _SUBSYSTEM) + guard)]
    behind: list[Op] = []
    for op in ops:
        for kind, flags, body in _messages(op):
            messages.append((kind_of(kind), flags, _HEAD.pack(_INET, 0, 0) + body))
            behind.append(op)
    messages.append((_END, 0, _HEAD.pack(0, 0, _SUBSYSTEM)))
    return messages, behind


def generation_request() -> Message:
    """Asks for the ruleset's generation."""
    return kind_of(_GETGEN), 0, _HEAD.pack(0, 0, 0)


def elements_request(name: str) -> tuple[int, bytes]:
    """Dumps a set or map of ours."""
    wanted = attribute(_LIST_SET, name.encode() + b"\0")
    return kind_of(_GETELEM), _HEAD.pack(_INET, 0, 0) + _TABLE + wanted


def counters_request() -> tuple[int, bytes]:
    """Dumps our named counters."""
    return _objects_request(_COUNTER)


def counter_question(length: int) -> tuple[int, bytes, bytes]:
    """Asks for one of our named counters: type, and what stands before and after its name.

    For names of ``length`` bytes.
    """
    name = attribute(_OBJ_NAME, bytes(length + 1))
    before, after = name[:HEAD_BYTES], name[HEAD_BYTES + length :]
    return kind_of(_GETOBJ), _COUNTERS_OF_OURS + before, after


def quotas_request() -> tuple[int, bytes]:
    """Dumps our named quotas."""
    return _objects_request(_QUOTA)


def rules_request() -> tuple[int, bytes]:
    """Dumps the rules of our table."""
    return kind_of(_GETRULE), _HEAD.pack(_INET, 0, 0) + _TABLE


def chains_request() -> tuple[int, bytes]:
    """Dumps all chains of our family (the kernel knows no narrower question)."""
    return kind_of(_GETCHAIN), _HEAD.pack(_INET, 0, 0)


def read_elements(name: str, run: bytes) -> Iterator[tuple[bytes, Told]]:
    """The keys in a run of messages of a set's dump, and what is told of each."""
    wanted = _told_in(name)
    for _, _, _, body in split(run):
        for size, items in _by_size(first(body, _LIST_ELEMENTS, start=_HEAD.size)):
            yield from _read_alike(items, size, wanted)


def _told_in(name: str) -> int:
    """Which attribute of an element of this set says what is wanted of it."""
    if name.startswith(("up", "down")):
        return _EXPIRES
    return _OBJREF if name.startswith(("count", "cap")) else _DATA


def _by_size(listed: bytes) -> Iterator[tuple[int, bytes]]:
    """The items of a list, headers and all, joined where they are equally long."""
    size = _padded(listed, 0) if listed else 0
    if steady(listed, size, 0, 2):
        yield size, listed
        return
    found: dict[int, list[bytes]] = {}
    position = 0
    while position + HEAD_BYTES <= len(listed):
        size = _padded(listed, position)
        found.setdefault(size, []).append(listed[position : position + size])
        position += max(size, HEAD_BYTES)
    for size, items in found.items():
        yield size, b"".join(items)


def _padded(body: bytes, at: int) -> int:
    return (int.from_bytes(body[at : at + 2], byteorder) + 3) & ~3


def _read_alike(items: bytes, size: int, wanted: int) -> Iterator[tuple[bytes, Told]]:
    """Key and what is told of elements of this size: at once, if all are made alike."""
    found = places(items, size, HEAD_BYTES, _INSIDE)
    if found is None or not steady(items, size, 0, HEAD_BYTES):
        for at in range(0, len(items), size) if len(items) > size else ():
            yield from _read_alike(items[at : at + size], size, wanted)
        return
    key_at, key_end = found[_KEY]
    # Invariant: the kernel writes an element's key before all that it leads to.
    at, end = found.get(wanted, (key_end, key_end))
    before = f"{key_at + HEAD_BYTES}x{key_end - key_at - HEAD_BYTES}s{at - key_end}x"
    after = f"{size - end}x"
    if wanted not in found:
        yield from ((key, None) for (key,) in struct.iter_unpack(f"={before}{after}", items))
    elif wanted == _OBJREF:
        layout = f"={before}{end - at - 1}sx{after}"
        yield from ((key, name.decode()) for key, name in struct.iter_unpack(layout, items))
    elif wanted == _DATA:
        yield from struct.iter_unpack(f"={before}{HEAD_BYTES}xI{after}", items)
    else:
        yield from struct.iter_unpack(f">{before}Q{after}", items)


def read_networks(bodies: Iterable[bytes]) -> Garden:
    """The networks in a whole dump of a set of intervals: it comes as their ends, in any order."""
    ends: list[tuple[bytes, bool]] = []
    for body in bodies:
        for _, item in pairs(attributes(body[4:]).get(_LIST_ELEMENTS, b"")):
            attrs = attributes(item)
            is_start = not int.from_bytes(attrs.get(_FLAGS, b""), "big") & _INTERVAL_END
            ends.append((attrs[_KEY][4:], is_start))
    ends.sort()
    found: list[IPv4Network | IPv6Network] = []
    for number, (key, is_start) in enumerate(ends):
        if is_start:
            after = ends[number + 1][0] if number + 1 < len(ends) else None
            found += _networks(key, after)
    return frozenset(found)


def _networks(start: bytes, after: bytes | None) -> Iterator[IPv4Network | IPv6Network]:
    kind = IPv4Address if len(start) == _V4_BYTES else IPv6Address
    last = kind((1 << 8 * len(start)) - 1) if after is None else kind(after) - 1
    return summarize_address_range(kind(start), last)


def read_counter(body: bytes) -> tuple[str, int]:
    """(name, bytes) of a counter."""
    # Of the agent's work that repeats this is the most, so usual ones are read by place alone.
    if body[_NAME_TYPE] == _OBJ_NAME and body[_COUNT_HEADS:_COUNT_AT] == _COUNT_HEADS_ARE:
        end = _NAME_AT - HEAD_BYTES + int.from_bytes(body[_NAME_SIZE], byteorder) - 1
        return body[_NAME_AT:end].decode(), int.from_bytes(body[_COUNT_AT:_COUNT_END], "big")
    attrs = attributes(body[4:])
    content = attrs[_OBJ_DATA]
    # Invariant: the kernel writes bytes before packets, so the value stands at a fixed place.
    return attrs[_OBJ_NAME][:-1].decode(), _U64.unpack_from(content, 4)[0]


def read_counters(run: bytes) -> list[tuple[str, int]]:
    """The same for each of a run of messages, which have one and the same header."""
    size = int.from_bytes(run[:4], byteorder)
    name_at, heads_at = HEADER.size + _NAME_AT, size + _COUNT_HEADS
    length = int.from_bytes(run[name_at - HEAD_BYTES : name_at - 2], byteorder) - HEAD_BYTES - 1
    between = size + _COUNT_AT - name_at - length
    if (
        run[name_at - 2] != _OBJ_NAME
        or run[heads_at : heads_at + len(_COUNT_HEADS_ARE)] != _COUNT_HEADS_ARE
        or not steady(run, size, name_at - HEAD_BYTES, name_at)
        or not steady(run, size, heads_at, heads_at + len(_COUNT_HEADS_ARE))
    ):
        return [read_counter(body) for _, _, _, body in split(run)]
    layout = f">{name_at}x{length}s{between}xQ{-_COUNT_END}x"
    return [(name.decode(), count) for name, count in struct.iter_unpack(layout, run)]


_NAME_AT = _HEAD.size + len(_TABLE) + HEAD_BYTES
_NAME_SIZE = slice(_NAME_AT - 4, _NAME_AT - 2)
_NAME_TYPE = _NAME_AT - 2
_COUNT_HEADS, _COUNT_AT, _COUNT_END = -28, -20, -12
_COUNT_HEADS_ARE = attribute(_OBJ_DATA, attribute(1, bytes(8)) * 2)[:8]
"""What stands before the bytes of a counter that has nothing after them but its packets."""


def read_quota(body: bytes) -> tuple[str, int, int]:
    """(name, limit in bytes, bytes used) of a quota."""
    attrs = attributes(body[4:])
    content = attributes(attrs[_OBJ_DATA])
    limit, used = int.from_bytes(content[1], "big"), int.from_bytes(content[4], "big")
    return attrs[_OBJ_NAME][:-1].decode(), limit, used


def read_rule(body: bytes) -> tuple[str, bytes]:
    """(chain, expressions) of a rule."""
    attrs = attributes(body[4:])
    return attrs[2][:-1].decode(), attrs.get(4, b"")


def read_chain(body: bytes) -> tuple[str, str, bytes]:
    """(table, chain, hook with policy) of a chain."""
    attrs = attributes(body[4:])
    hook = attrs.get(4, b"") + attrs.get(5, b"")
    return attrs[1][:-1].decode(), attrs[3][:-1].decode(), hook


def read_generation(body: bytes) -> int:
    """The ruleset's generation: it grows by one with each transaction of anybody."""
    return int.from_bytes(attributes(body[4:])[1], "big")


def _objects_request(kind: int) -> tuple[int, bytes]:
    wanted = attribute(_OBJ_TYPE, _U32.pack(kind))
    return kind_of(_GETOBJ), _HEAD.pack(_INET, 0, 0) + _TABLE + wanted


def _messages(op: Op) -> Iterator[tuple[int, int, bytes]]:
    match op:
        case Put(element):
            yield _NEWELEM, _CREATE, _element(element)
        case Cut(element):
            if element.set.startswith(("up", "down")):
                # It may have run out meanwhile: putting it first makes sure that it is there.
                yield _NEWELEM, _CREATE, _element(element)
            yield _DELELEM, 0, _element(element, key_only=True)
        case Flush(name):
            yield _DELELEM, 0, _TABLE + attribute(_LIST_SET, name.encode() + b"\0")
        case PutCounter(name):
            yield _NEWOBJ, _CREATE, _object(name, _COUNTER, _counter_zero)
        case CutCounter(name):
            yield _DELOBJ, 0, _object(name, _COUNTER)
        case PutQuota(name, left_bytes):
            limit = attribute(1, _U64.pack(left_bytes)) + attribute(2, _U32.pack(_OVER))
            yield _NEWOBJ, _CREATE, _object(name, _QUOTA, limit)
        case CutQuota(name):
            yield _DELOBJ, 0, _object(name, _QUOTA)


_counter_zero = attribute(1, _U64.pack(0)) + attribute(2, _U64.pack(0))


def _object(name: str, kind: int, content: bytes | None = None) -> bytes:
    body = _TABLE + attribute(_OBJ_NAME, name.encode() + b"\0")
    body += attribute(_OBJ_TYPE, _U32.pack(kind))
    return body if content is None else body + attribute(_OBJ_DATA | NESTED, content)


def _element(element: Element, *, key_only: bool = False) -> bytes:
    if element.network is not None:
        return _listed(element.set, _ends(element.network))
    item = attribute(_KEY | NESTED, attribute(_VALUE, _key(element)))
    if not key_only:
        if element.timeout_ms is not None:
            item += attribute(_TIMEOUT, _U64.pack(element.timeout_ms))
        if isinstance(element.value, str):
            item += attribute(_OBJREF, element.value.encode() + b"\0")
        elif element.value is not None:
            value = element.value.to_bytes(4, byteorder)
            item += attribute(_DATA | NESTED, attribute(_VALUE, value))
    return _listed(element.set, (item,))


def _listed(name: str, items: Iterable[bytes]) -> bytes:
    inside = b"".join(attribute(1 | NESTED, item) for item in items)
    listed = attribute(_LIST_ELEMENTS | NESTED, inside)
    return _TABLE + attribute(_LIST_SET, name.encode() + b"\0") + listed


def _ends(network: IPv4Network | IPv6Network) -> Iterator[bytes]:
    """Where a network begins, and what is the first after it: nothing for the last of all."""
    yield attribute(_KEY | NESTED, attribute(_VALUE, network.network_address.packed))
    size = network.max_prefixlen // 8
    after = int(network.broadcast_address) + 1
    if after < 1 << 8 * size:
        key = attribute(_KEY | NESTED, attribute(_VALUE, after.to_bytes(size, "big")))
        yield key + attribute(_FLAGS, _U32.pack(_INTERVAL_END))


def _key(element: Element) -> bytes:
    key = b"" if element.address is None else element.address.packed
    if element.mac is None:
        return key
    mac = bytes.fromhex(element.mac.replace(":", ""))
    return key + mac + b"\0\0" if key else mac


def read_key(name: str, key: bytes) -> tuple[IPv4Address | IPv6Address | None, MacAddress | None]:
    """Address and MAC in the key of an element of this set, each if it is there."""
    if name == "blocked":
        return None, _mac(key)
    address: IPv4Address | IPv6Address
    size = _V4_BYTES if name.endswith("4") else 16
    address = IPv4Address(key[:size]) if size == _V4_BYTES else IPv6Address(key[:size])
    rest = key[size : size + _MAC_BYTES]
    return address, _mac(rest) if rest else None


def _mac(key: bytes) -> MacAddress:
    return MacAddress(key[:_MAC_BYTES].hex(":"))
