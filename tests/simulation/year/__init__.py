"""A year of a mixed provider: thousands of subscribers of all kinds, a steered clock, real books.

The real use cases on a real database; pretended are only the people and the time. A seed decides
who they are (mode, cycle, fixed day, segment, branch, plan, promotion, bespoke price) and what
they do: pay late, early, in parts, too much, the same receipt twice; take money back; change their
plan, pause, go. Rates of tax and prices change meanwhile. Every night all that is due is done, and
a judge asks of the books, by plain SQL and by reckoning of its own, whether they are right:

- the ledger sums to zero; receivables are what is open; no wallet is below zero, and none holds
  money while its owner owes; every balance is what was paid, given and charged;
- every document's lines sum, with the taxes of the day of supply; prices and shares of periods are
  those of the price list; numbers have no gaps;
- the billed days of a subscription are those on which a grant passed at its site: no gap, no
  overlap, each once. Not served, though billed, are only days of a period that was billed before
  the service was suspended for a debt, or by staff;
- nobody is suspended unless a shilling or more is overdue and not promised;
- the oldest debt is paid first; a reward stands only for money and invoices that stay paid.

The same year must come to the same books (`books.py` says what is equal, and what cannot be) when
processes die between and inside transactions, when two schedulers work at once, and when nobody
looks for days, or for all of the year.

- ``naive.py``     an accountant's reckoning: calendar, shares, taxes, volume
- ``sight.py``     the books as plain SQL sees them
- ``provider.py``  what is sold, to whom
- ``people.py``    what they do
- ``served.py``    who was served when
- ``papers.py``    every document, reckoned again
- ``judge.py``     what must hold every night
- ``books.py``     two tellings of one year, side by side
- ``year.py``      the nights and days
- ``bugs.py``      bugs that a year or a named test must find, each a change of one place
- ``__main__.py``  ``python -m tests.simulation.year --subscribers 10000 --seed 1``
"""
