"""A simulated Airtel Money: its wire format with its quirks, a payer, and faults.

``python -m controller.sandbox.airtel`` runs it on 127.0.0.1:8092.

- ``settings.py``  PURE   the application, its secrets, how long a prompt stays
- ``faults.py``    PURE   the switches, and for each what happens and what people see
- ``requests.py``  PURE   what is checked in a request, and in which words it is refused
- ``network.py``          lines, prompts, money; what was settled and given back
- ``courier.py``          callbacks to the address of the portal, with or without a hash
- ``signing.py``          version 2: the key that is handed out, and what it opens
- ``doors.py``            token, push, enquiry, refund, key
- ``pages.py``             the payer's phone for people, at ``/``
- ``control.py``          JSON for tests under ``/sim``
- ``app.py``, ``__main__.py``   composition

It shares no code with ``controller.payments``: what one side writes wrong, the other finds. It
moves no money and knows nobody; any PIN but 0000 is right.
"""
