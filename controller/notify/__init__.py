"""Those who carry words to people, behind two Protocols: `Sms` and `Email`.

- ``sms.py``                    PURE   the seam: `Sms`, and the errors that its methods name
- ``gsm7.py`` ``cost.py``       PURE   how many parts a text has, and what they cost
- ``africas_talking_wire.py``   PURE   Africa's Talking's request and answer
- ``africas_talking.py``               the client: `AfricasTalkingSms`
- ``http_sms_wire.py``          PURE   any other carrier's, as the settings describe them
- ``http_sms.py``                      the client: `HttpSms`
- ``reports.py``                PURE   what carriers tell later: delivered, or failed
- ``email.py``                  PURE   the seam: `Email`, letters, and the errors of its methods
- ``email_message.py``          PURE   a letter as RFC 5322 wants it
- ``smtp.py``                          the client: `SmtpEmail`
- ``money_texts.py`` ``texts/`` PURE   what is said about money, in each language
- ``absent.py``                        for a controller without accounts: sends nothing
- ``memory.py`` ``memory_email.py``    the fakes that ship: scripted, no network

A message is sent at least once: what may have left is sent again, because a customer who paid is
worse off with no message than with two. What is certain to fail again is not repeated, and staff
are told. When to repeat is not decided here but by the outbox (``usecases/messages.py``).

Texts, whole numbers, addresses, passwords and keys never reach a log, an error text or a ``repr``.
"""
