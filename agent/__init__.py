"""The edge daemon: keeps a site working with or without the centre.

It serves the captive portal, decides who may pass, tells the data plane, counts, and reports. It
only ever dials out. Everything it must not forget is in its journal before it acts.

PURE (time is an argument, no input or output):

- ``model.py``    the site's state, the events that change it, the effects they have
- ``decide.py``   ``decide(state, event, now) -> (state, effects)``; its rules by subject:
  ``changes.py`` desired state, ``grants.py`` what is left, ``sessions.py`` open, count, end,
  ``dialling.py`` sessions that a NAS counts, ``devices.py`` whose address is whose,
  ``joining.py`` who may use a grant, ``orders.py`` where each stands, ``prepaid.py`` vouchers and
  tokens, ``speeds.py`` how fast and when, ``tries.py`` how often, ``daytime.py`` what time it can
  be
- ``badge.py``    what a browser keeps, so that its device is known again
- ``draft.py``    a working copy of the state for one batch
- ``desired.py``  the whole desired state of the data plane; of it ``lines.py`` who may dial in to a
  router that keeps their secrets
- ``counters.py`` plane counters with epochs into meters
- ``keeping.py``  what of the state is written down, and how
- ``wire.py``     protobuf in and out (the only file here that knows ``wirepb``, with ``uplink/``)

SHELL:

- ``loop.py``     drains events, decides, journals, applies; one batch, one commit, one apply
- ``journal.py``  SQLite with fsync: state, outbox, identity of the journal
- ``courier.py``  the tasks that talk to the controller: follow, report, purchase
- ``uplink/``     the roads to the controller
- ``gate.py``     the portal's `Gate` over the loop; by subject: ``codes.py`` its codes, link or no
  link, ``returning.py`` who gets back to what was paid, ``companions.py`` televisions,
  ``phones.py`` codes by SMS, ``seldom.py`` how often
- ``visitors.py`` the portal's connections: bounded for each address, in time and in size
- ``lan.py``      who is on the LAN; ``line_watch.py`` who is dialled in to a router
- ``radius/``     answers NASes and gives them orders, where a site has any
- ``router.py``   a MikroTik router as the box; ``router_cli.py`` lets the agent in and reads it
  (``router_reading.py``, ``sealing.py``), ``router_checks.py`` looks whether it can be worked with
- ``network/``    the site's own addresses and names, and changes of them without a risk
- ``probes/``     a look at the LAN and the uplink, when somebody asks for one
- ``identity.py`` key, certificate signing request, certificate, renewal
- ``clock.py``    the only place that reads a clock
- ``router.py``   a MikroTik router as the box, ``routers.py`` several of one site
- ``log.py``      what goes to the log, one line an event
- ``config.py``   one frozen dataclass, all faults reported together
- ``serving.py``  the portal's sockets and servers
- ``running.py``  composition of a running agent; ``status.py`` what it says of itself;
  ``hosting.py`` several small sites in one process
- ``doctor.py``   what is wrong on this machine (``findings.py``); ``main.py`` the command itself

The agent never imports ``controller``, nor fastapi, sqlalchemy or pydantic: boxes are small.
"""
