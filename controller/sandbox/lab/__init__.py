"""A whole site in network namespaces: real packets, real kernel, nothing of the machine touched.

One process holds everything. Its children (dnsmasq, the agent) die with it, and the namespaces are
anonymous, so that after kill -9 the kernel itself has cleaned up. That is why a trial's names come
from a stand-in: the agent's own dnsmasq is made to outlive the agent. Tests ask for it by
``own_names``, and end it themselves.

- ``namespace.py``  a network namespace held by a descriptor, and what can be done inside
- ``dns.py``        asks a resolver from inside a namespace
- ``web.py``        the internet's web servers: the probe hosts, and one page that says hello
- ``meter.py``      sources and sinks of exactly counted traffic, on the internet's side
- ``pipe.py``       joins a port inside a namespace to a port of this machine's loopback
- ``site.py``       the topology: internet, gateway, devices
- ``phone.py``      lets a browser on this machine drive one of the devices
- ``traffic.py``    devices that make bounded traffic of their own once they are online
- ``wire.py``       the little of HTTP/1.1 that the lab itself speaks

```
   device 1..N          site (gateway)                 internet
   10.77.0.11.. ──┐  br-lan 10.77.0.1   wan0 ──── isp0 198.51.100.1   probe hosts, traffic
   fd77::11..   ──┴─ fd77::1      198.51.100.2         203.0.113.10   the controller's address
                     the agent runs here                └─ piped to 127.0.0.1 of this machine
```
"""
