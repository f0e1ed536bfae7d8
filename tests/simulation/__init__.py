"""A whole operator in one process, under a seeded scheduler, in virtual time.

Real agents (journal, loop, courier, gate), a real controller (dispatch, use cases, SQLite) and the
real wire messages between them; pretended are only the kernel (`shaping.memory`, which behaves like
one), M-PESA (`controller.payments.memory`), the link, the disk's tearing and time itself. A seed
decides everything that happens: what people do, what the link loses, repeats, delays and reorders,
who is killed in the middle of what, which clocks lie. After every step the invariants of the design
are asked of the database, the journals and the kernels; at the end all faults are mended, and the
books must agree with the world to the byte and the shilling.

- ``virtual.py``     the event loop whose time jumps, and the entropy that a seed decides
- ``inline.py``      SQLite without a thread, which gives way to others where the seed says so
- ``network.py``     a link that loses, doubles, delays and reorders
- ``office.py``      the controller, which can be killed; M-PESA and its payers
- ``place.py``       a site: an agent on a box that is killed, loses its power, lies of the time
- ``world.py``       all of it, and what really happened
- ``deeds.py``       what people do
- ``mishaps.py``     what befalls sites, links and the controller
- ``story.py``       what happens next, by the seed
- ``invariants.py``  what must hold
- ``bugs.py``        bugs that a story or a named test must find, each a change of one place
- ``__main__.py``    ``python -m tests.simulation SEED ...`` tells a seed's story and what broke
"""
