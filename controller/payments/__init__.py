"""Those who move money, each behind the one `PaymentGateway` Protocol.

- ``gateway.py``         PURE   the seam: `Push`, `PushAnswer`, `Outcome`, `PaymentGateway`
- ``codes.py``           PURE   what M-PESA's result codes mean, as evidence and reason
- ``mpesa_settings.py``  PURE   what a shortcode needs, and the words Daraja refuses
- ``mpesa_wire.py``      PURE   Daraja's request bodies and answers, error shapes included
- ``mpesa_callback.py``  PURE   Daraja's callback, read by name and never by position
- ``mpesa.py``                  the client: token, push, query; `MpesaGateway`
- ``tokens.py``                 one access token per credential set, shared by all processes
- ``token_rows.py``             the same kept in the controller's database, sealed
- ``pace.py``                   how fast we may ask: a token bucket per shortcode
- ``absent.py``                 for a controller without an account: refuses, collects nothing
- ``bank_notice.py``    PURE   a bank's instant notice, believed by its signature
- ``statements/``       PURE   statement files of M-PESA's portal and of banks
- ``memory.py``                 `MemoryGateway`, the fake that ships: scripted, no network

Three sentences hold everywhere here. An outcome that is not known is never called failed. A push is
sent once: it is repeated only when it is certain that the first never left us. What a callback says
is a hint: the caller finds its own row by the token in the address, and compares.

Secrets (consumer secret, passkey, access tokens) and whole phone numbers never reach a log, an
error text or a ``repr``.
"""
