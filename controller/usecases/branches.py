"""Branches of the operator, and which branch a site belongs to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.plan import ID_SHAPE
from controller.store import branches, sites
from controller.usecases import particulars
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.billing_rows import BranchRow
    from controller.store.database import Tx


class BranchExists(Exception):  # noqa: N818 - a refusal, see style
    """A branch of this id exists with other content: change it instead."""


class BranchUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such branch."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as staff describe it; ``kra_branch`` is its number at the revenue authority."""

    name: str
    address: str = ""
    phone: str = ""
    email: str = ""
    kra_branch: str = "00"


@dataclass(frozen=True, slots=True)
class BranchChange:
    """What is to be another of a branch; what is None stays as it is."""

    name: str | None = None
    address: str | None = None
    phone: str | None = None
    email: str | None = None
    kra_branch: str | None = None


async def add_branch(deps: Deps, branch_id: str, branch: Branch) -> None:
    """Make a branch. The same again changes nothing.

    Raises `InvalidField`, `BranchExists`, `DatabaseBusy`.
    """
    if not ID_SHAPE.fullmatch(branch_id):
        raise InvalidField("id", "want 1 to 32 of a-z, 0-9 and -, starting with a letter or digit")
    branch = _checked(branch)
    async with deps.db.begin() as tx:
        if not await branches.insert(tx, branch_id, now=deps.now(), **asdict(branch)):
            kept = await branches.load(tx, branch_id)
            assert kept is not None
            if _as_branch(kept) != branch:
                raise BranchExists(f"branch {branch_id} exists with other content")


async def change_branch(deps: Deps, branch_id: str, change: BranchChange) -> None:
    """Change a branch. Documents that were issued stay as they are.

    Raises `InvalidField`, `BranchUnknown`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row = await branches.locked(tx, branch_id)
        if row is None:
            raise BranchUnknown(f"there is no branch {branch_id}")
        said = {name: text for name, text in asdict(change).items() if text is not None}
        branch = _checked(Branch(**{**asdict(_as_branch(row)), **said}))
        for name, text in asdict(branch).items():
            setattr(row, name, text)


async def move_site(deps: Deps, site_id: SiteId, branch_id: str) -> None:
    """Let a site belong to a branch; what it earns from now on is that branch's.

    Raises `SiteUnknown`, `InvalidField` (``branch_id``), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        await must_exist(tx, branch_id)
        site = await sites.lock(tx, site_id)
        if site is None:
            raise SiteUnknown(f"there is no site {site_id}")
        site.branch_id = branch_id
    deps.signals.wake("live")


async def must_exist(tx: Tx, branch_id: str, *, field: str = "branch_id") -> None:
    """Raise `InvalidField` for a branch that is not there."""
    if await branches.load(tx, branch_id) is None:
        raise InvalidField(field, f"there is no branch {branch_id[:40]}")


def _as_branch(row: BranchRow) -> Branch:
    return Branch(row.name, row.address, row.phone, row.email, row.kra_branch)


def _checked(branch: Branch) -> Branch:
    return Branch(
        name=particulars.name(branch.name),
        address=particulars.line("address", branch.address),
        phone=particulars.line("phone", branch.phone, length_max=particulars.PHONE_MAX),
        email=particulars.email(branch.email),
        kra_branch=particulars.kra_branch(branch.kra_branch),
    )
