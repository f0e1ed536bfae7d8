"""The ``lango`` command: noun, verb, and the same words as on screens.

- ``app.py``     the root command and `main`, which turns faults into exit codes
- ``faults.py``  what can go wrong, each with its exit code and the next command to try
- ``units.py``   PURE: ``2h``, ``500MB``, ``3M`` in; whole seconds, bytes and bits per second out
- ``client.py``  the HTTP API as this command sees it
- ``desk.py``    where the controller is, which key to show, and where to write
- ``columns.py``  PURE: how wide the columns of a table are
- ``screen.py``  stdout is data (a table, or JSON with a schema), stderr is talk
- ``sites.py``, ``plans.py``, ``vouchers.py``, ``tokens.py``, ``payments.py``, ``sessions.py``,
  ``grants.py``, ``ledger.py``, ``notices.py``   one file per noun: they ask the API and print
- ``arrivals.py``, ``refunds.py``, ``account.py``   money that came in, that goes back, that is
  asked for
- ``here.py``    what works on this machine without the API: run, trial, config, db, version
- ``payment_doors.py``  at which addresses providers call back; on this machine, for they are secret
- ``doctor.py``  what is wrong on this machine, and what to do about it
- ``status.py``  whether the whole is well; exit code 7 when not

Imports that are slow or that only one command needs are deferred into it. Files with commands do
without ``from __future__ import annotations``: typer reads their annotations at run time.
"""
