"""The door for agents: gRPC over mutual TLS, and the authority that says who is which site.

An agent is a site because a certificate says so: this controller's own authority signed it, in
exchange for a one-use join token or for an earlier certificate of the same site. Nothing that an
agent writes in a message can make it another site.

- ``authority.py``  the controller's own certificate authority; join tokens
- ``wire.py``       protobuf bodies and records in and out of the controller's values
- ``dispatch.py``   protobuf message in, use case, protobuf message out; knows no transport
- ``admission.py``  the servers' credentials; who a peer is, and whether it is still welcome
- ``grpc.py``       the transport: servers, doors, status codes
- ``watch.py``      wakes followers when another process changed their site

Meaning stays below: a gRPC status is chosen in ``grpc.py`` and nowhere else, and a second transport
would share ``dispatch.py``. Nothing is remembered between calls, so that a killed process loses
nothing: whoever follows reads the database again.
"""
