"""The centre: the truth about money and grants.

One message, one transaction; commit at the edge of the process; side effects leave after commit.

- ``main.py``      composition root: builds `Deps`, runs the roles (api, edge, jobs) in one process
- ``work.py``      what sites ask of it and what it looks after by itself, without its doors
- ``config.py``    settings, parsed once, all faults together
- ``deps.py``      the frozen handful of things that everything else is given
- ``vault.py``     keys outside the database: sealing, keyed hashes, the staff key
- ``signals.py``   in-process wake-ups ("site X has news"); never carries the news itself
- ``records.py``   PURE: what agents report, as values, and the rule that folds it into sessions
- ``usecases/``    purchase, settle, redeem, ingest, sites, expire …: load, call the pure rule, save
- ``store/``       SQL: engine and transactions, rows, one module of functions per noun, migrations
- ``payments/``    the `PaymentGateway` Protocol and M-PESA
- ``notify/``      the `Sms` Protocol and Africa's Talking
- ``storefront.py``  what the public page that sells tokens sees of all this
- ``edge/``        gRPC for agents: dispatch, wire, certificate authority
- ``api/``         HTTP: REST, provider callbacks, error mapping
- ``noc/``         the live staff page
- ``cli/``         the ``lango`` command
- ``sandbox/``     trial mode: simulated Daraja with a handset, the lab site, the fault panel

The controller never imports ``agent``.
"""
