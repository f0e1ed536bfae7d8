"""A simulated bank, and M-PESA's portal: the files and instant notices of one list of movements.

``python -m controller.sandbox.bank FOLDER`` writes a few invented days in every format.

- ``movements.py``  PURE  `Movement`, `Account`: what happened to the money, and what is left out
- ``mt940.py``      PURE  SWIFT MT940, a message a day
- ``camt.py``       PURE  camt.053, versions 02 and 08
- ``tables.py``     PURE  M-PESA's portal CSV and two dialects of banks' CSV
- ``notices.py``    PURE  instant notices: KCB Buni (signed), Equity Jenga (HTTP Basic)
- ``post.py``             posts them, to loopback only
- ``settings.py``, ``faults.py`` PURE, ``counter.py``  a page on which people pay in
- ``__main__.py``         writes the files

It shares no code with ``controller.payments``: what one side writes wrong, the other finds. Three
faults of files can be switched on: a day is missing from a file, a file stands twice in itself,
money that came is taken back.
"""
