"""The tables of the people who run the business: accounts, factors, sessions, API tokens.

Secrets that are only ever compared (sessions, tokens, recovery codes, invitations) are kept as
keyed hashes; the shared secret of a TOTP is sealed, because it must be read.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, only

__all__ = ["Row"]

HIDDEN = {"shown": False}
"""Marks a column that the audit log does not show."""


class StaffRow(Row):
    """Somebody on the staff. ``login`` is their e-mail address or phone (2547…), in small letters.

    ``branches`` are ids, apart by spaces, in order; None: every branch. ``password_hash`` is "" as
    long as they have not chosen a password by their invitation. ``totp_sealed`` is the secret of
    their authenticator app, ``totp_step`` the last step of 30 s of which a code was used: no code
    is good twice.
    """

    __tablename__ = "staff"
    __table_args__ = (
        CheckConstraint(
            "role IN ('owner', 'admin', 'billing', 'support', 'technician', 'cashier',"
            " 'read_only')",
            name="role_known",
        ),
        CheckConstraint("role <> 'owner' OR branches IS NULL", name="owner_of_everything"),
        CheckConstraint("branches <> ''", name="some_branch"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    login: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    branches: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    password_hash: Mapped[str] = mapped_column(String(200))
    totp_sealed: Mapped[bytes | None]
    totp_step: Mapped[int | None]
    signed_in_at: Mapped[datetime | None]


class StaffPasskeyRow(Row):
    """A passkey: what its authenticator showed when it was added. ``id`` is a hash of its own id.

    ``sign_count`` is the authenticator's counter; one that does not grow is refused, except 0,
    which means that it does not count (W3C Web Authentication, signature counter).
    """

    __tablename__ = "staff_passkey"
    __table_args__ = (Index(None, "staff_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffRecoveryRow(Row):
    """A recovery code, as a keyed hash; each opens once, in place of a second factor."""

    __tablename__ = "staff_recovery"
    __table_args__ = (Index(None, "staff_id"),)

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    used_at: Mapped[datetime | None]


class StaffInviteRow(Row):
    """A one-use right to choose a password and a second factor, as a keyed hash.

    ``staff_id`` is None for that of the first owner, whose account it makes. ``sealed`` is empty:
    the secret of the app is made for whoever looks.
    """

    __tablename__ = "staff_invite"
    __table_args__ = (Index(None, "staff_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffStepRow(Row):
    """A step of a sign-in or of adding a passkey, that waits for the browser's answer; used once.

    ``kind`` is ``second`` (the password was right), ``passkey`` (a passkey alone, kept only once it
    is used) or ``add`` (a passkey is being added). ``challenge`` is what the authenticator is to
    sign.
    """

    __tablename__ = "staff_step"
    __table_args__ = (
        CheckConstraint("kind IN ('second', 'passkey', 'add')", name="kind_known"),
        CheckConstraint("(kind = 'passkey') = (staff_id IS NULL)", name="passkey_says_who"),
        Index(None, "expires_at"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    challenge: Mapped[bytes]
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None]


class StaffSessionRow(Row):
    """A browser that is signed in: known by a keyed hash of its cookie.

    ``id`` is a name to show and revoke it by; it opens nothing.
    """

    __tablename__ = "staff_session"
    __table_args__ = (Index(None, "staff_id", "ended_at"), Index(None, "token_hash", unique=True))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(80))
    factor: Mapped[str] = mapped_column(String(16))


class StaffDeviceRow(Row):
    """A browser, or a network, from which somebody has signed in with everything that it takes.

    ``mark`` is a keyed hash of the browser's own cookie, or of the network's prefix.
    """

    __tablename__ = "staff_device"
    __table_args__ = (CheckConstraint("kind IN ('browser', 'network')", name="kind_known"),)

    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    mark: Mapped[str] = mapped_column(String(64), primary_key=True, info=HIDDEN)
    kind: Mapped[str] = mapped_column(String(8))
    first_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class StaffTryRow(Row):
    """Failed sign-ins of one (account, address), of one address, or of one known browser.

    ``login`` is that of the account, where there is one; ``host`` is from where they came. Tries of
    no account are told of by their address alone, and have neither.
    """

    __tablename__ = "staff_try"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures_not_negative"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True, info=HIDDEN)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(index=True)
    login: Mapped[str | None] = mapped_column(String(120))
    host: Mapped[str | None] = mapped_column(String(64))


class ApiTokenRow(Row):
    """A key for a program, as a keyed hash: with a role and branches of its own.

    Neither is ever more than those of ``staff_id``, who made it (None: the machine's owner, by the
    staff key).
    """

    __tablename__ = "api_token"
    __table_args__ = (
        CheckConstraint(
            "role IN ('owner', 'admin', 'billing', 'support', 'technician', 'cashier',"
            " 'read_only')",
            name="role_known",
        ),
        CheckConstraint("branches <> ''", name="some_branch"),
        Index(None, "token_hash", unique=True),
        Index("ix_api_token_in_use", "staff_id", **only("revoked_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    branches: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SavedViewRow(Row):
    """A page as somebody of the staff narrowed it: a name, and the end of its address.

    ``staff_id`` is an account, or "key" for whoever holds the controller's own key.
    """

    __tablename__ = "saved_view"
    __table_args__ = (CheckConstraint("name <> ''", name="named"),)

    staff_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    query: Mapped[str] = mapped_column(String(1000))
