"""The program that makes and reads the packets of one probe, and ends: the only place with scapy.

Run as ``python -m agent.probes.child``, it gives up every privilege but that of raw packets, reads
one order (JSON) from its input, writes one result (JSON) to its output, and is gone. It dies with
whoever started it. Nothing else imports this package: scapy is GPL-2.0-only, takes 80 MB, and has
no business in a process that lives.

- ``__main__.py`` one order in, one result out
- ``confine.py``  privileges given up, and an end in any case
- ``machine.py``  the machine's own addresses
- ``sending.py``  sockets, and packets counted and paced
- ``sweep.py`` is ``arp``, ``offers.py`` ``dhcp``, ``path.py`` ``trace`` and ``mtu``, and
  ``names.py`` ``dns``
"""
