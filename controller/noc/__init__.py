"""The live staff page: one page, one stream per tab, one look at the database for all of them.

- ``views.py``    the reading queries of the page and of the HTTP API (SQL is allowed here)
- ``accounts.py``, ``charges.py``, ``incoming.py``   the same for subscribers, for what is charged,
  and for money that comes in and access that is paid and not there
- ``rates.py``    PURE: successive readings in, bits per second and sparklines out
- ``text.py``     PURE: numbers, times and states as people read them
- ``board.py``    PURE: a snapshot and rates in, exactly what each panel shows out
- ``hub.py``      looks once per tick, renders once, and fans the changed panels out to every tab
- ``brand.py``    the operator's name and colour around every page
- ``page.py``     the routes: page, stream, log-in, log-out, static files
- ``templates/``  Jinja; ``static/`` our own style and script, ``static/vendor/`` what was copied

The page works without scripts (it reloads itself), asks no other host for anything, and never shows
a whole phone number.
"""
