"""RADIUS at the site: who may dial in, from the site's own copy of policy, link or no link.

A NAS (a PPPoE concentrator, a hotspot controller) asks here instead of at the centre (RFC 2865),
tells here what it counts (RFC 2866), and is told here when a session changes or ends (RFC 5176).

PURE:

- ``settings.py``   the ``[radius]`` table; all its faults at once
- ``words.py``      the attributes that are spoken here, as pyrad's dictionary
- ``packets.py``    bytes of a NAS into a question or an account, or into why it is not believed
- ``proofs.py``     PAP, CHAP and MS-CHAPv2: whether the secret is known, and what is answered;
  ``mschap.py`` the arithmetic of the last (RFC 2759, RFC 3079)
- ``verdict.py``    who may come in, on which grant, how fast and for how long
- ``rates.py``      a speed in the words of a NAS
- ``answers.py``    a verdict as bytes
- ``steering.py``   changes and ends of sessions as bytes, and what a NAS answered

SHELL:

- ``server.py``     the two ports: answers, once for each question; accounts are journalled first
- ``line.py``       orders to one NAS, asked again until it answers
- ``steer.py``      holds NASes to what the site wants, and asks them what became of a session

What an account means for a session and its grant is decided with everything else, in
`agent.dialling`. Only pyrad reads and writes the wire format; its servers and clients are not used:
they have no memory of what was answered, and enforce no Message-Authenticator by themselves.
"""
