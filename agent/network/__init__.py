"""The site's own network: addresses and names for its devices, and changes without a risk.

With a ``[network]`` table in its configuration the agent runs dnsmasq; without one, dnsmasq and the
LAN's address are the operator's own affair and nothing here does anything.

PURE (time is an argument, no input or output):

- ``plan.py``   the network as a value, and what dnsmasq is told of it
- ``trial.py``  a change that is only tried, and what it means for which devices
- ``leases.py`` who has which address, from dnsmasq's own file
- ``edit.py``   new values in a TOML text

SHELL:

- ``dnsmasq.py``   the two processes: found by process id and command line, started, ended
- ``situation.py`` what is to be served now, from what is on disk
- ``keeper.py``    the part of a running agent that has just that served
- ``uplink.py``    whether the name servers upstream answer
- ``change.py``    try, confirm, take back; ``timer.py`` takes back when nobody else lives to do it
- ``addresses.py`` the machine's addresses, by pyroute2; only in short-lived commands
- ``cli.py``       ``lango-agent network``; ``files.py`` one writer at once, replaced in one step

dnsmasq outlives the agent, so that a crash or an upgrade leaves no device without an address or a
name. Everything that changes it takes one lock, so the agent, a command and a timer may come at the
same moment.
"""
