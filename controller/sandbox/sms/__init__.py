"""A simulated Africa's Talking: its wire format with its quirks, onto the handset of the trial.

- ``requests.py``  PURE   what it checks in a request, and how it answers
- ``door.py``             ``/version1/messaging``, over the lines of the simulated network
- ``isms.py``             the platform of Celcom, Advanta and TextSMS: ``/api/services/sendsms/``
- ``reporter.py``         what both tell afterwards of each message

It shares no code with ``controller.notify``: what one side writes wrong, the other finds. A message
lands in the inbox of its line, where anybody can read it; nothing leaves this machine.
"""
