"""The data plane: what packets may do.

This package knows addresses, rates, counters and deadlines. It knows no money and no subscriber.
A box (the forwarding machine) is told the *whole* desired state through one Protocol of three
methods, ``plane.DataPlane``; finding the difference to what the box does now, and mending drift,
is the plane's own affair.

Files:

- ``plane.py``   PURE  the Protocol and its values: Desired, Access, Pool, Cap, Counter, PlaneError
- ``pools.py``   PURE  pools inside pools, checked and read as paths
- ``diff.py``    PURE  observed and desired in, ordered changes out
- ``lines.py``   PURE  people who dial in: a line as what a session is, an address for each
- ``split.py``   PURE  one desired state for several boxes of a site
- ``together.py``      those boxes as one plane, of which none harms another
- ``memory.py``        the shipped fake: behaves like a box, moves no packet (``--dry-run``)
- ``linux/``           nftables and HTB on a Linux gateway (its own front page explains the recipe)
- ``routeros/``        MikroTik routers, over their API

Nothing in here imports ``billing``, ``agent``, ``controller`` or ``portal``.
"""
