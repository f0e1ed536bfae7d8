"""A simulated mail server: SMTP with its moods, and a page where its letters can be read.

- ``settings.py``  PURE   what it is told
- ``faults.py``    PURE   what can go wrong, as switches
- ``dialogue.py``  PURE   one conversation of SMTP: a line in, an answer out
- ``server.py``           the conversation over TCP, with STARTTLS or TLS where it has a certificate
- ``box.py``              the letters that came
- ``app.py``              ``/mail`` for people, ``/sim/mail`` and ``/sim/mail/faults`` for scripts

It shares no code with ``controller.notify``: what one side writes wrong, the other finds. Letters
are read by anybody who opens the page; nothing leaves this machine.
"""
