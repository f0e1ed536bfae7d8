"""Which numbers our queues have, so that the kernel finds them fast. PURE.

The kernel looks for a queue by walking one of 16 lists of its interface, chosen by a hash of the
number (``qdisc_hash`` in linux/netdevice.h, ``hash_32`` in linux/hash.h). It looks for the HTB of a
group with each class that is made or changed, and for the number of each queue below a class once.
Left to itself it numbers those queues so that they fill all lists, and a group's HTB stands behind
a sixteenth of them. So one list is for the HTBs of groups alone, and the queues below classes have
numbers that lead to the others. A kernel that hashes in another way is only slower.
"""

from __future__ import annotations

from array import array

ROOT_MAJOR = 0x4C00
"""Our root's handle, far from the numbers that people and kernels give by themselves."""

GROUPS_MAX = 1_000

_OWN_END = 0x8000
"""From here on the kernel gives numbers by itself."""

_HASH = 0x61C88647 & 0xFFFF


def list_of(major: int) -> int:
    """The list in which the kernel keeps a queue of this number."""
    # A handle is a number and 16 bits of zero, so only the lower half of the kernel's factor tells.
    return (major * _HASH & 0xFFFF) >> 12


_GROUPS_LIST = list_of(ROOT_MAJOR + 1)

GROUP_MAJORS: tuple[int, ...] = tuple(
    major
    for major in (*range(ROOT_MAJOR + 1, _OWN_END), *range(0x4000, ROOT_MAJOR))
    if list_of(major) == _GROUPS_LIST
)[:GROUPS_MAX]
"""The number of each group's HTB."""

GROUP_OF_MAJOR = {major: number for number, major in enumerate(GROUP_MAJORS, 1)}

LEAF_MAJORS: array[int] = array(
    "H",
    (
        major
        for major in range(1, _OWN_END)
        if major != ROOT_MAJOR and list_of(major) != _GROUPS_LIST
    ),
)
"""The number of the queue below each slot's class, for as many slots as there are such numbers.
Those of the classes beyond, and of spare classes, are left to the kernel."""
