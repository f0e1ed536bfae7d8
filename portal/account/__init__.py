"""What customers see of the controller: the page on which they buy an activation token.

It runs on the controller and is reached over the cellular network, for sites whose own link may be
down. It needs no script, keeps nothing in the browser, and shows a token only to who holds the
secret part of its order's own address.

- ``shop.py``         the one seam: what the page may ask of the controller. PURE
- ``memory_shop.py``  the shop without a controller, for demonstrations and tests
- ``app.py``          `create_app`: routes and what each does
- ``screens.py``      which screen an order has, as plain values. PURE
- ``pages.py``        screens to bytes: templates over the captive portal's frame and style
- ``messages.py``     the text messages that customers get, each in one GSM-7 part. PURE
- ``templates/``      one template per screen

Style, script, forms, units and sentences are those of ``portal.captive``.
"""
