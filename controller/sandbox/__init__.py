"""Trial mode: the whole product on one machine, with no hardware and no Safaricom account.

- ``trial.py``   the supervisor behind ``lango trial``: starts the parts, keeps them up, stops them
- ``mortal.py``  command lines of children that cannot outlive the supervisor
- ``stall.py``   fills the shop: demo plans, one site, a join token
- ``daraja/``    simulated M-PESA: Daraja's wire format, the handset page, the fault panel
- ``lab/``       a site in network namespaces with devices that make real traffic

Everything here imitates the outside world. The controller and the agent do not know that they are
on trial: they are started by their own commands and configured like any others.
"""
