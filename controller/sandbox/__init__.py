"""Trial mode: the whole product on one machine, with no hardware and no Safaricom account.

- ``trial.py``    ``lango trial``: starts a rig, shows where to look, stops it
- ``rig.py``      all parts wired: controller, simulated providers, site, agent, the phone
- ``shop.py``     the merchant's accounts with the providers, told to both sides
- ``providers.py``, ``told.py``  all providers in one process, and what they are told
- ``children.py`` programs that are kept running and stopped together
- ``mortal.py``   command lines of children that cannot outlive their parent
- ``stall.py``    fills the shop: a site, demo plans, a subscriber, a join token
- ``keys.py``     keys of providers that outlive a restart
- ``fingers.py``  types PINs on the simulated handset, for devices that have no person
- ``airtel/``     simulated Airtel Money, with a plain handset
- ``paystack/``   simulated Paystack, with the card page where a payer goes on
- ``switches.py``, ``posting.py``, ``remote.py``, ``panel.py``, ``standalone.py``, ``plain/``
  what these share: faults, posts to the merchant, JSON for tests, pages, their start
- ``daraja/``     simulated M-PESA: Daraja's wire format, the handset page, the fault panel
- ``bank/``       a simulated bank: statement files and instant notices, and a counter to pay in
- ``mail/``       a simulated mail server, whose letters can be read
- ``sms/``        a simulated Africa's Talking, whose messages land on that handset
- ``lab/``        a site in network namespaces with devices that make real traffic

Everything here imitates the outside world. The controller and the agent do not know that they are
on trial: they are started by their own commands and configured like any others.
"""
