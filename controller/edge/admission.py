"""Who may come in by gRPC: the server's own credentials, and the identity of a peer."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc

from controller.edge.authority import peer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from billing.ids import SiteId
    from controller.edge.authority import Authority, Peer, ServerPair

PAIR_REST = timedelta(days=10)
"""A server certificate with less life left than this is replaced at the next handshake."""


class PeerRefused(Exception):  # noqa: N818 - a sentence
    """The certificate of a peer does not, or no longer, let it in."""


class FreshPair:
    """The server's key and certificate, asked for at every handshake, replaced when they age."""

    def __init__(self, authority: Authority, now: Callable[[], datetime]) -> None:
        self._authority = authority
        self._now = now
        self._lock = threading.Lock()  # handshakes run on the library's own threads
        self._pair: ServerPair = authority.server_pair(now())

    def mutual(self) -> grpc.ServerCredentials:
        """Credentials that want a client certificate of our own authority."""
        return grpc.dynamic_ssl_server_credentials(
            self.current(), self.current, require_client_authentication=True
        )

    def open(self) -> grpc.ServerCredentials:
        """Credentials that want nothing of the client."""
        return grpc.dynamic_ssl_server_credentials(self.current(), self.current)

    def current(self) -> grpc.ServerCertificateConfiguration:
        """What the next handshake shows, with the authority that it believes."""
        with self._lock:
            if self._pair.expires_at - self._now() < PAIR_REST:
                self._pair = self._authority.server_pair(self._now())
            pair = self._pair
        return grpc.ssl_server_certificate_configuration(
            [(pair.key_pem, pair.certificate_pem)], root_certificates=self._authority.ca_pem
        )


class Admission:
    """Reads who a peer is from its certificate, and whether it is still welcome.

    The handshake has proved that our authority signed the certificate and that the peer has its
    key; it proved so once, and a connection may be older than a revocation.
    """

    def __init__(
        self, now: Callable[[], datetime], is_welcome: Callable[[SiteId, str], Awaitable[bool]]
    ) -> None:
        self._now = now
        self._is_welcome = is_welcome

    async def __call__(self, context: grpc.aio.ServicerContext[Any, Any]) -> Peer:
        """The peer of a call. Raises `PeerRefused`."""
        certificate = list(context.auth_context().get("x509_pem_cert", ()))
        peer = peer_of(certificate[0]) if certificate else None
        if peer is None:
            raise PeerRefused("the certificate names no site: join again")
        if peer.expires_at <= self._now():
            raise PeerRefused("the certificate has expired: join again")
        if not await self._is_welcome(peer.site_id, peer.serial):
            raise PeerRefused("the certificate was revoked: join again")
        return peer
