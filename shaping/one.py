"""Small mappings, of which a site has tens of thousands. PURE."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        if key is self._key or key == self._key:
            return self._value
        raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        return iter((self._key,))

    def items(self) -> ItemsView[K, V]:
        """The one key with its value."""
        return _Items(self, (self._key, self._value))

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return repr({self._key: self._value})


class _Items(ItemsView[K, V]):
    """As the front page of mappings has it, without a look for what is there."""

    __slots__ = ("_item",)

    def __init__(self, one: One[K, V], item: tuple[K, V]) -> None:
        super().__init__(one)
        self._item = item

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return iter((self._item,))


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


def with_one(mapping: Mapping[K, V] | None, key: K, value: V) -> Mapping[K, V]:
    """A mapping as it was, with one more key."""
    return compact({**mapping, key: value}) if mapping else One(key, value)


def valued(mapping: Mapping[K, V], value_of: Callable[[K, V], V]) -> Mapping[K, V]:
    """The same keys, each with the value that it and its old one give."""
    if isinstance(mapping, One):
        ((key, value),) = mapping.items()
        return One(key, value_of(key, value))
    return compact({key: value_of(key, value) for key, value in mapping.items()})
