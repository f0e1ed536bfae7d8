"""Small mappings, of which a site has tens of thousands. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

K = TypeVar("K")
V = TypeVar("V")

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class One(Mapping[K, V]):
    """A mapping of one key, in a quarter of a dictionary's memory. Never changed."""

    __slots__ = ("_key", "_value")

    def __init__(self, key: K, value: V) -> None:
        self._key = key
        self._value = value

    def __getitem__(self, key: object) -> V:
        if key == self._key:
            return self._value
        raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        yield self._key

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return repr({self._key: self._value})


def nothing() -> Mapping[Any, Any]:
    """An empty mapping; one for all."""
    return _NOTHING


def compact(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """The same in little memory; whoever has ``mapping`` must not change it from now on."""
    if len(mapping) > 1:
        return mapping
    for key, value in mapping.items():
        return One(key, value)
    return _NOTHING
