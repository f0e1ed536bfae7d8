"""A simulated Paystack: a hosted card page, stored cards, refunds, signed events, and faults.

``python -m controller.sandbox.paystack`` runs it on 127.0.0.1:8093.

- ``settings.py``  PURE   the business, its key, how patient it is
- ``faults.py``    PURE   the switches, and for each what happens and what people see
- ``requests.py``  PURE   what is checked in a request, and how it is refused
- ``cards.py``     PURE   the cards that exist, and what each does
- ``bank.py``             transactions, authorisations, refunds; what was settled
- ``bodies.py``    PURE   answers and events as Paystack writes them
- ``courier.py``          signed events: retried, and doubled or disordered when a fault says so
- ``doors.py``            initialize, verify, charge_authorization, refund
- ``pages.py``            where a payer types a card, and where a bank asks its holder
- ``control.py``          JSON for tests under ``/sim``
- ``app.py``, ``__main__.py``   composition

It shares no code with ``controller.payments``: what one side writes wrong, the other finds. It
moves no money, and its cards exist nowhere else.
"""
