"""Those who move money, each behind the one `PaymentGateway` Protocol.

- ``gateway.py``         PURE   the seam: `Push`, `PushAnswer`, `Outcome`, `PaymentGateway`
- ``codes.py``           PURE   what M-PESA's result codes mean, as evidence and reason
- ``mpesa_settings.py``  PURE   what a shortcode needs, and the words Daraja refuses
- ``mpesa_wire.py``      PURE   Daraja's request bodies and answers, error shapes included
- ``mpesa_fields.py``    PURE   values as they stand in what Daraja posts to us
- ``mpesa_callback.py``  PURE   Daraja's callback, read by name and never by position
- ``seen.py``            PURE   money as one road shows it: `Seen`
- ``mpesa_c2b.py``       PURE   money from the payer's own menu: told, asked before, registered
- ``mpesa_pull.py``      PURE   the list of what came, in pages
- ``mpesa_initiator.py`` PURE   requests of our API user: reversal, payout, status, balance
- ``mpesa_result.py``    PURE   their results, and what became of a standing order
- ``mpesa_ratiba.py``    PURE   standing orders
- ``mpesa_qr.py``        PURE   a code that the M-PESA app reads
- ``credential.py``             the initiator's password, encrypted for Safaricom
- ``mpesa_door.py``             token, pace, and what may be posted twice; `DarajaDoor`
- ``mpesa.py``                  push, query, refund; `MpesaGateway`
- ``mpesa_account.py``          all else that Daraja does for a shortcode; `MpesaAccount`
- ``airtel_settings.py`` PURE   what an Airtel Money merchant needs
- ``airtel_codes.py``    PURE   what Airtel's statuses and codes mean
- ``airtel_wire.py``     PURE   its bodies and answers, callbacks as hints
- ``airtel_signing.py``  PURE   how its version 2 wants requests signed
- ``airtel_door.py``            its HTTP door: token, headers, signature
- ``airtel.py``                 `AirtelGateway`: push, enquiry, whole refunds
- ``paystack_settings.py`` PURE what a Paystack business needs
- ``paystack_wire.py``   PURE   its card pages, stored cards and signed events
- ``paystack_refund.py`` PURE   its refunds, found again by our own id
- ``paystack.py``               `PaystackGateway`: cards, stored cards, refunds of a part too
- ``answers.py``         PURE   untrusted JSON, and errors that providers answer
- ``calls.py``                  one HTTP call: sent once, and what is known without an answer
- ``tokens.py``                 one access token per credential set, shared by all processes
- ``token_rows.py``             the same kept in the controller's database, sealed
- ``bucket.py``                 how often we may ask: a token bucket, `Bucket`
- ``bucket_rows.py``            the same in the controller's database, for all processes
- ``pace.py``                   waiting for one's turn
- ``absent.py``                 for a controller without an account: refuses, collects nothing
- ``bank_notice.py``    PURE   a bank's instant notice, believed by its signature
- ``statements/``       PURE   statement files of M-PESA's portal and of banks
- ``memory.py``                 `MemoryGateway`, the fake that ships: scripted, no network

T-Kash has no adapter: Telkom publishes no interface for it, so its money comes in by hand or by
statement import, on a rail called ``tkash``.

Three sentences hold everywhere here. An outcome that is not known is never called failed. A push is
sent once: it is repeated only when it is certain that the first never left us. What a callback says
is a hint: the caller finds its own row by the token in the address, and compares.

Secrets (consumer secret, passkey, access tokens) and whole phone numbers never reach a log, an
error text or a ``repr``.
"""
