"""Every road by which money is told, with every fault: each shilling is credited once.

A seed makes a small run: some payments by some rails, what goes wrong with the word of each, who
lies in between, when processes die. The product takes it all at its real doors, on a real
database, with a clock that the run steers.

- ``truth.py``     what the providers really did with money: settled, taken back, given back
- ``bodies.py``    what they post of it, byte for byte: own code, nothing of the product's
- ``rails.py``     the seams to them: gateways and M-PESA's account, in this process, no sockets
- ``stage.py``     the controller: two processes on one database, which die when they are told to
- ``play.py``      a seed becomes payments, faults and lies on a line of time
- ``judge.py``     what must hold of the books, in plain SQL, against the truth
- ``day.py``       a provider's day over HTTP: hundreds of payments, an outage, one statement
- ``bugs.py``      bugs put in on purpose, each of which a seed or a named test finds

``python -m tests.simulation.roads SEED ...`` tells the story of some seeds; ``A-B`` is a range.
"""
