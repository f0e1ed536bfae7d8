"""A simulated M-PESA: Daraja's wire format with its quirks, a handset, and a panel of faults.

``python -m controller.sandbox.daraja`` runs it on 127.0.0.1:8090.

PURE: ``settings`` one merchant and his credentials · ``requests``, ``initiator_requests`` what
Daraja checks, in which order, with which words · ``bodies``, ``c2b_bodies``, ``results``,
``order_bodies`` what it writes, variants included · ``faults``, ``switches`` the switches, and for
each what a real network does and customers see · ``statement`` the portal's file · ``forms`` what a
browser posts, bounded.

Money: ``book`` lines, balances and all that moved, once per receipt · ``network`` prompts on phones
· ``paybill`` payments from the payer's own menu, validated and confirmed · ``courier`` posts the
news, once each unless a fault says otherwise; loopback only.

Doors of Daraja: ``gate`` the token, and who may come in · ``doors`` push and query · ``c2b_doors``
register and simulate · ``pull`` the list of payments · ``initiator`` status, reversal, payout and
balance, with ``credential`` for their key · ``orders`` standing orders · ``qr`` pictures.

Doors of the simulation: ``control``, ``money_control`` JSON for tests under ``/sim`` · ``handset``
the phone at ``/`` · ``pages`` the faults at ``/faults``, the start at ``/trial`` · ``render`` their
templates · ``app``, ``__main__`` composition.

It shares no code with ``controller.payments``: what one side writes wrong, the other finds. It
moves no money and knows nobody: every number is a line with an opening balance, and any PIN but
0000 is right. Everything is in memory and gone when it stops.
"""
