"""The HTTP door: REST for staff and their programs, the providers' callbacks, and health.

- ``app.py``        puts the parts together: `create_app`
- ``door.py``       what holds for every request: its id, its size, the headers of its answer
- ``errors.py``     one table from refusals to RFC 9457 problems, which name the field
- ``auth.py``       who may enter: the staff key as bearer, or the sealed cookie of the live page
- ``attempts.py``   PURE: how many wrong keys an address may offer
- ``shapes.py``     what goes out and comes in, as JSON; money is text, times are UTC
- ``pages.py``      cursors of lists
- ``replay.py``     an ``Idempotency-Key`` makes a repeated POST answer what the first one did
- ``needs.py``      what routes ask for: `Deps`, staff, a page
- ``callbacks.py``, ``health.py``, ``sites.py``, ``plans.py``, ``vouchers.py``, ``tokens.py``,
  ``payments.py``, ``sessions.py``, ``grants.py``, ``ledger.py``, ``notices.py``   the routes, one
  file per noun
- ``arrivals.py``, ``refunds.py``, ``account_payments.py``   money that came in, that goes back,
  that is asked for; their shapes are in ``arrival_shapes.py``
- ``openapi.py``    writes ``docs/openapi.json``; a test proves that it is fresh

Routes choose status codes and nothing else: rules are in ``usecases``, reading in ``noc/views``.
Files with routes or models do without ``from __future__ import annotations``, because FastAPI and
pydantic read their annotations at run time.
"""
