"""A Linux gateway as a data plane: nftables decides and counts, HTB shapes.

One nftables table, ``inet lango``. Who may pass stands in sets whose elements carry the kernel's
own timeout, so access ends on time even when this program is dead. What passed is counted by named
counters, two for each session, which the device's addresses merely point at: renewals and changed
addresses never reset them, and their names carry session and epoch, so a program that was killed
finds its sessions again with no memory of its own. Byte budgets are named kernel quotas, reached
the same way. A packet is counted after authorisation and budget, never before.

Speed: a map gives the HTB class by address, in the forward hook (earlier it would be lost).
Classes stand in groups of 250, each group an HTB of its own below the root, because making a class
costs the kernel a walk over its siblings. The root finds the group by a five-step classic BPF
program that reads the packet's mark. Classes are a pool: reused and changed, never removed.

Two roads lead to nftables. Rules are installed as text through libnftables, once. Elements,
counters and quotas go through netlink directly: libnftables reads every named object of the table
before each command (27 ms at 10,000 sessions), which is too dear for a sign-in. The kernel's
ruleset generation tells, for 20 us, whether anybody else changed anything since.

Shapers and neighbours are netlink messages of our own as well: no library stays in the memory of a
program that runs for months on a small box (decision 0008).

Files:

- ``nft.py``         PURE  rules text, and the elements and objects that a change means
- ``attributes.py``  PURE  type, length, value
- ``messages.py``    PURE  messages, alone and in runs of one header
- ``wire.py``        PURE  those as netlink messages, and netlink dumps as values
- ``adopt.py``       PURE  what the kernel holds, read back as sessions; what fits none is stray
- ``tc.py``          PURE  class numbers, rates and shaper messages
- ``neigh.py``       PURE  neighbour messages: entries and pins
- ``libnftables.py``       the system library, through ctypes
- ``netlink.py``           a socket that sends batches and reads dumps, and one that listens
- ``tables.py``            the table: install, verify, commit, read
- ``slots.py``             who has which slot, and which group stands in which pool
- ``tree.py``              the class tree of one interface
- ``shaper.py``            sessions, groups and pools in the trees of both interfaces
- ``pins.py``              permanent neighbours for paid addresses
- ``plane.py``             LinuxPlane: the three methods
- ``sightings.py``   PURE  entries of neighbour tables read as sightings
- ``iproute.py``           roots and groups: what of the shaper is built once for many
- ``neighbours.py``        who is on the LAN, followed live
"""
