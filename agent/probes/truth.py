"""What is odd about the answers of resolvers. PURE.

Nobody but the owner of a name knows its address; but who answers for a name that cannot exist, who
answers twice, and who sends people to a private address lies, or somebody in between does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.probes.asked import is_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class Said:
    """What one resolver said: ``answers`` to the name, ``invented`` to one that cannot exist.

    ``code`` is that of its first answer, None when there was none. ``twice``: a second answer to
    the same question said something else.
    """

    server: str
    code: str | None
    answers: tuple[IPv4Address, ...] = ()
    invented: tuple[IPv4Address, ...] = ()
    twice: bool = False


def odd(name: str, all_said: Sequence[Said], *, private: Sequence[str]) -> list[str]:
    """Every oddity as a sentence that names the resolver."""
    found = []
    for one in all_said:
        if one.code is None:
            found.append(f"{one.server} does not answer")
        if one.invented:
            found.append(f"{one.server} lies: it has an address for a name that does not exist")
        if one.twice:
            found.append(f"{one.server} gave two answers to one question: one of them is forged")
        inside = [str(a) for a in one.answers if is_private(a)]
        if inside and not _below(name, private):
            found.append(f"{one.server} says that {name} has a private address, {inside[0]}")
    return [*found, *_apart(name, all_said)]


def _apart(name: str, all_said: Sequence[Said]) -> list[str]:
    """Those whose answers share nothing with what most say."""
    speak = [one for one in all_said if one.code is not None]
    if len(speak) < 2:  # noqa: PLR2004 - one alone contradicts nobody
        return []
    votes = Counter(address for one in speak for address in set(one.answers))
    most = max(votes.values(), default=0)
    believed = {address for address, count in votes.items() if count == most}
    if most * 2 <= len(speak):
        different = {one.answers for one in speak}
        return [f"the resolvers disagree about {name}"] if len(different) > 1 else []
    return [
        f"{one.server} says of {name} what no other resolver says"
        for one in speak
        if not believed & set(one.answers)
    ]


def _below(name: str, private: Sequence[str]) -> bool:
    return any(name == one or name.endswith(f".{one}") for one in private)
