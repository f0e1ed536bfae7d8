"""The money rules: what is owed, what was bought, what is left. PURE, every file.

Standard library only; no async, no clock, no input or output, no ORM, no float. Time is an
argument. Amounts are integers of minor units. The same quota rule runs at the controller and at
every site, so the two can never disagree about what a grant still allows.

Files:

- ``ids.py``       typed identifiers
- ``errors.py``    the tree of refusals
- ``money.py``     Money and the one rounding function, ``split``
- ``msisdn.py``    phone numbers as M-PESA wants them, and how they are masked
- ``plan.py``      what is for sale
- ``grant.py``     the right to use, bought or given
- ``metering.py``  readings in, usage out
- ``quota.py``     what a grant has left: the one quota rule, and the slices that sites are handed
- ``speed.py``     how fast a grant is now: rate, fair-use steps, hours
- ``ledger.py``    postings and transactions
- ``payment.py``   the life of a payment as a state machine
- ``voucher.py``   prepaid codes: alphabet, check character, normal form
- ``token.py``     activation tokens: 20 digits that a site accepts with its link down
- ``proof.py``     by which code a device may join a grant
- ``receipt.py``   what a payer can show: the code in the M-PESA message

Nothing in here imports anything else of ours.
"""
