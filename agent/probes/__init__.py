"""A look at the network when something is wrong with it: five kinds of probes.

``arp`` finds the devices of the LAN, and addresses that two of them use. ``dhcp`` finds servers
that hand out addresses beside ours. ``trace`` shows the way to a target, ``mtu`` how large a packet
gets there whole, and ``dns`` whether resolvers answer, and truly. The controller orders them
(``probe/<id>`` of the desired state), or somebody types ``lango-agent probe``.

A probe looks at this site and at its uplink, and nowhere else: ``arp`` and ``dhcp`` only on the
LAN, the others only out of the WAN and to the resolvers that are configured. It is bounded in time,
in packets and in how often. Packets are made and read with scapy, which is large and GPL-2.0-only:
it is loaded by a program of its own, which takes one order as JSON, answers with JSON, and ends.

PURE:

- ``asked.py``  what may be asked, and which addresses a probe may send to
- ``turns.py``  which order's turn it is: once each, not too late, not too often
- ``told.py``   what was seen: as bounded JSON for the controller, in lines for people
- ``truth.py``  what is odd about the answers of resolvers

SHELL:

- ``runner.py`` runs the program, and ends it
- ``prober.py`` carries out the controller's orders, one at a time
- ``cli.py``    ``lango-agent probe``
- ``child/``    the program (``python -m agent.probes.child``): never imported by anything else
"""
