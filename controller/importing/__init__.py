"""What another system knew of customers, as what Lango would make of it. PURE.

A file is read strictly (`router_file`), its rows become a proposal (`mapping`), and only
`controller/usecases/imports.py` writes. A row that cannot be brought over is named, with the
reason; no row is guessed at where money or access depends on it.

How a MikroTik router's rows are taken:

- a PPPoE secret, a static simple queue, and a hotspot user without limits are customers by the
  month: a subscriber (by the phone that name or comment tells) with a subscription;
- a hotspot user with a limit is a code: unused, it becomes a voucher with a new code; partly used,
  it is left out, unless its seller makes it good in full;
- profiles and queues give a plan's speed, and the operator says its price: no router knows one;
- what the router made by itself, what is switched off, and what is nobody's in particular stays.

Files:

- ``texts.py``        rates, times, addresses and phones as routers and people write them
- ``router_file.py``  the JSON of ``lango-agent router read``
- ``mapping.py``      rows in, a proposal out
"""
