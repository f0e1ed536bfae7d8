"""The agent's road to the controller: one Protocol, several transports that mean the same.

- ``seam.py``    PURE  the `Uplink` Protocol, its values and its errors
- ``memory.py``        the shipped fake: a controller in the same process (tests, ``--dry-run``)
- ``grpc.py``          gRPC over mutual TLS, the default

Protobuf messages and transport errors end here: nothing above this package sees a status code.
"""

import os

# What keeps a link from coming up is said once, by us. The library would say it at each try; it
# reads this when it is loaded, so it stands here, before ``grpc.py``.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
