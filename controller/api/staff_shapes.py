"""What goes out and comes in about the staff and their API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from controller.rights import Role
from controller.store.staff_rows import ApiTokenRow, StaffRow  # noqa: TC001 - pydantic looks
from controller.usecases.api_tokens import LASTS_MAX_DAYS, LASTS_USUAL_DAYS
from controller.usecases.staff import NewStaff, StaffChange
from controller.usecases.staff_names import shown_login

BranchId = Annotated[str, Field(pattern="^[a-z0-9-]{1,32}$")]
Branches = Annotated[list[BranchId], Field(max_length=100)]


class StaffIn(BaseModel):
    """Somebody to take on; without ``branches`` they have every branch."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=120)]
    name: Annotated[str, Field(max_length=80)]
    role: Role
    branches: Branches | None = None
    language: Annotated[str, Field(max_length=2)] = "en"

    def new(self) -> NewStaff:
        """As the use case has it."""
        held = None if not self.branches else frozenset(self.branches)
        return NewStaff(self.login, self.name, self.role, held, self.language)


class StaffSetIn(BaseModel):
    """What is to be another; what is not said stays. An empty ``branches`` is every branch."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(max_length=80)] = None
    role: Role | None = None
    branches: Branches | None = None
    language: Annotated[str | None, Field(max_length=2)] = None
    disabled: bool | None = None

    def change(self) -> StaffChange:
        """As the use case has it."""
        branches = None if self.branches is None else tuple(self.branches)
        return StaffChange(self.name, self.role, branches, self.language, self.disabled)


class StaffOut(BaseModel):
    """A member of staff. ``has_accepted``: they have chosen a password by their invitation."""

    id: str
    login: str
    name: str
    role: Role
    branches: list[str] | None
    language: str
    has_accepted: bool
    disabled_at: datetime | None
    signed_in_at: datetime | None

    @classmethod
    def of(cls, row: StaffRow) -> Self:
        """As it is shown: phones without their middle."""
        return cls(
            id=row.id,
            login=shown_login(row.login),
            name=row.name,
            role=Role(row.role),
            branches=None if row.branches is None else row.branches.split(),
            language=row.language,
            has_accepted=bool(row.password_hash),
            disabled_at=row.disabled_at,
            signed_in_at=row.signed_in_at,
        )


class InvitedOut(BaseModel):
    """An account and the link by which its owner chooses a password; shown this once."""

    staff: StaffOut
    url: str
    expires_at: datetime


class SetupOut(BaseModel):
    """The link by which somebody becomes the first owner; shown this once."""

    url: str
    expires_at: datetime


class ApiTokenIn(BaseModel):
    """A key to make: of one's own role and branches unless said; it ends after ``days``."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=80)]
    role: Role | None = None
    branches: Branches | None = None
    days: Annotated[int, Field(ge=1, le=LASTS_MAX_DAYS)] = LASTS_USUAL_DAYS


class ApiTokenOut(BaseModel):
    """A key, without the key. ``staff_id`` is who made it; None: whoever owns the machine."""

    id: str
    name: str
    role: Role
    branches: list[str] | None
    staff_id: str | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None

    @classmethod
    def of(cls, row: ApiTokenRow) -> Self:
        """As it is shown."""
        return cls(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            branches=None if row.branches is None else row.branches.split(),
            staff_id=row.staff_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
        )


class ApiTokenMadeOut(ApiTokenOut):
    """A key; ``token`` is shown this once."""

    token: str
