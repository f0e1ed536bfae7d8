"""The controller's memory: SQL lives here (and in ``noc/views.py``) and nowhere else.

- ``database.py``  engine, transactions, dialect differences (SQLite embedded, PostgreSQL grown)
- ``rows.py``, ``*_rows.py``  the tables; every invariant that a database can hold is a constraint
- one module of functions per noun (``plans.py``, ``grants.py``, ``items.py`` …): ``load``, ``save``
- ``migrations/``  Alembic, from the first table on; tests run the real migrations

A function takes an open transaction first (``tx: Tx``) and never commits: the edge of the process
does.
"""
