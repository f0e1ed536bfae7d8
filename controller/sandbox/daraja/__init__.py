"""A simulated M-PESA: Daraja's wire format with its quirks, a handset, and a panel of faults.

``python -m controller.sandbox.daraja`` runs it on 127.0.0.1:8090.

- ``settings.py``  PURE   the shortcode, its credentials, how long a prompt stays
- ``requests.py``  PURE   what Daraja checks in a request, in which order, with which words
- ``bodies.py``    PURE   answers and callbacks as Daraja writes them, variants included
- ``faults.py``    PURE   the switches, and for each what a real network does and customers see
- ``forms.py``     PURE   what a browser posts, bounded
- ``network.py``          lines, prompts, money: who owes what to whom, and the receipts
- ``courier.py``          carries callbacks, once each unless a fault says otherwise; loopback only
- ``doors.py``            the three doors of Daraja: token, push, query
- ``control.py``          JSON for tests under ``/sim``: prompts, PIN, faults, what was settled
- ``pages.py``            the handset at ``/``, the faults at ``/faults``, both at ``/trial``
- ``app.py``, ``__main__.py``   composition

It shares no code with ``controller.payments``: what one side writes wrong, the other finds. It
moves no money and knows nobody: every number is a line with an opening balance, and any PIN but
0000 is right. Everything is in memory and gone when it stops.
"""
