"""The edge daemon: keeps one site working with or without the centre.

It serves the captive portal, decides who may pass, tells the data plane, counts, and reports. It
only ever dials out. Everything it must not forget is in its journal before it acts.

PURE (time is an argument, no input or output):

- ``model.py``    the site's state, the events that change it, the effects they have
- ``decide.py``   ``decide(state, event, now) -> (state, effects)``: every rule of the edge
- ``counters.py`` plane counters with epochs into readings
- ``wire.py``     protobuf in and out (the only file here that knows ``wirepb``, with ``uplink/``)

SHELL:

- ``loop.py``     drains events, decides, journals, applies; one batch, one commit, one apply
- ``journal.py``  SQLite with fsync: state, outbox, identity of the journal
- ``identity.py`` key, certificate signing request, certificate, renewal
- ``gate.py``     the portal's `Gate` over the loop
- ``uplink/``     the roads to the controller
- ``clock.py``    the only place that reads a clock
- ``config.py``   one frozen dataclass, all faults reported together
- ``main.py``     composition root and the ``lango-agent`` command

The agent never imports ``controller``, nor fastapi, sqlalchemy or pydantic: boxes are small.
"""
