"""Branches: list, show, add, change; and which one a site belongs to."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import SiteId
from controller.api import pages
from controller.api.billing_shapes import BranchIn, BranchOut, BranchSetIn, SiteBranchIn
from controller.api.errors import NotFound
from controller.api.needs import Asking, Needed, PageAsked, SiteKey
from controller.api.shapes import Page, SiteOut
from controller.noc import views
from controller.store import branches
from controller.usecases import branches as usecase

router = APIRouter(tags=["branches"])


@router.get("/branches")
async def list_branches(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[BranchOut]:
    """Branches in order of their id."""
    after_id = pages.read_id(asked.cursor)
    async with deps.db.read() as tx:
        found = await branches.page(tx, after_id=after_id, limit=asked.limit, branches=who.branches)
    full = len(found) == asked.limit
    return Page(
        data=[BranchOut.of(row) for row in found],
        next_cursor=pages.written_id(found[-1].id) if full else None,
    )


@router.post("/branches", status_code=HTTPStatus.CREATED)
async def add_branch(deps: Needed, asked: BranchIn) -> BranchOut:
    """Make a branch. The same again changes nothing."""
    await usecase.add_branch(deps, asked.id, asked.branch())
    return await show_branch(asked.id, deps)


@router.get("/branches/{branch_id}")
async def show_branch(branch_id: SiteKey, deps: Needed) -> BranchOut:
    """One branch."""
    async with deps.db.read() as tx:
        row = await branches.load(tx, branch_id)
    if row is None:
        raise NotFound("branch", branch_id)
    return BranchOut.of(row)


@router.post("/branches/{branch_id}")
async def change_branch(branch_id: SiteKey, deps: Needed, asked: BranchSetIn) -> BranchOut:
    """Change a branch; what is not said stays. Issued documents stay as they are."""
    await usecase.change_branch(deps, branch_id, asked.change())
    return await show_branch(branch_id, deps)


@router.post("/sites/{site_id}/branch")
async def move_site(site_id: SiteKey, deps: Needed, asked: SiteBranchIn) -> SiteOut:
    """Let a site belong to a branch."""
    await usecase.move_site(deps, SiteId(site_id), asked.branch_id)
    async with deps.db.read() as tx:
        found = await views.site_view(tx, site_id)
    assert found is not None, "sites stay"
    return SiteOut.of(found, deps.now())
