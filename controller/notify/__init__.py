"""Those who carry words to phones, each behind the one `Sms` Protocol.

- ``sms.py``                    PURE   the seam: `Sms`, and the errors that its methods name
- ``africas_talking_wire.py``   PURE   Africa's Talking's request and answer
- ``africas_talking.py``               the client: `AfricasTalkingSms`
- ``absent.py``                        for a controller without an account: sends nothing
- ``memory.py``                        `MemorySms`, the fake that ships: scripted, no network

A message is sent at least once: what may have left is sent again, because a customer who paid is
worse off with no message than with two. What is certain to fail again is not repeated, and staff
are told. When to repeat is not decided here but by the outbox (``usecases/messages.py``).

Texts, whole numbers and API keys never reach a log, an error text or a ``repr``.
"""
