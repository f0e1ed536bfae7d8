"""A MikroTik router (RouterOS 6.49 and 7) as a data plane: address lists decide, queues count.

Who may pass stands in the address list ``lango-open``, with the router's own timeout, so access
ends on time even when this program is dead. Rules that name the lists are made once and stand
before whatever a stranger's rules would let through; FastTrack never sees a packet of the LAN. A
session has a simple queue, which shapes and counts it; it stays when the session is closed, with a
target that nothing has. Pools are queues around those. The comment of every row of ours begins with
``lango`` and tells what it is for; rows without it belong to somebody else and are never touched.

A queue's comment has its epoch, and an entry that only a power cut removes tells whether the router
was restarted since: then every queue is made anew, under a new epoch. No date is ever asked for.

Where the router keeps the secrets of those who dial in by PPPoE, each has an address of its own,
and with it a queue and a way as a device has. The secret says only whether they may (decision
0031).

A router has no budgets of bytes. They are counted from outside, and access is given for no longer
than what is left lasts at full speed, or a minute and a half (decision 0027).

Files:

- ``texts.py``   PURE  time spans and pairs of figures
- ``rows.py``    PURE  the rows that a desired state comes to
- ``ppp.py``     PURE  the rows of those who dial in, and who is in
- ``ops.py``     PURE  the sentences between what was seen and what is wanted; what rows mean
- ``adoption.py``      the script that lets an agent in (its words are PURE), and its confirmation
- ``session.py``       one connection and one lane to a router, over librouteros' codec
- ``plane.py``         RouterPlane: the three methods
- ``neighbours.py``    who is on the router's LAN (ARP, ports, leases), asked again and again
"""
