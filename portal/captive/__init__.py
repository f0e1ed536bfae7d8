"""The hotspot sign-in page: shows the state of the device that asks, and takes its orders.

It runs on the agent and works with the link to the controller down. It holds no state of its own:
what a device sees is what `gate.Gate` says of its address, so that a page can be closed, reopened
or lost at any moment and changes nothing. No cookie, no storage, no script is needed; a browser
that keeps the one cookie is known again when its device has made up another network address.

Files:

- ``gate.py``         the one seam: what the portal may ask of its site. PURE
- ``memory_gate.py``  the gate without a site, for demonstrations and tests
- ``app.py``          `create_app`: routes and what each does
- ``sharing.py``      routes by which a device gets back to what was paid, and shares it
- ``desk.py``         what every route needs: the device, its language, its badge, the answer
- ``door.py``         the first look at a request: sizes, whose host it asks for, the way in
- ``forms.py``        bounded forms, cross-site refusal, `Unacceptable`
- ``codes.py``        what kind of code was typed, or what is wrong with it. PURE
- ``capport.py``      the captive portal API of RFC 8908. PURE
- ``screens.py``      which screen a device sees, as plain values. PURE
- ``wallets.py``      what wallets are called, and what is true of one of them. PURE
- ``units.py``        bytes, rates, clocks and prices for people. PURE
- ``colours.py``      the operator's colour, made readable on light and dark
- ``pages.py``        screens to bytes: templates, compression, content security policy
- ``templates/``      one style sheet and one script, both inline; one template per screen
- ``text/``           every sentence that a customer reads

What a page weighs is a limit with a test: at most 14 KB compressed (the first flight of a TCP
connection), one request; the operator's picture, where there is one, is a second, once.
"""
