"""Staff at the pages of a test's office: a client who is let in as somebody, and what forms say."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from controller.api.app import create_app
from controller.rights import Role, Who
from controller.store.billing_rows import BranchRow
from tests.support.office import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from tests.support.office import Office

HERE = {"Sec-Fetch-Site": "same-origin"}
"""What a browser sends along with a form of our own page."""

ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}


@dataclass(frozen=True, slots=True)
class Doorman:
    """Lets everybody in as one and the same."""

    who: Who

    async def enter(self, request: Request) -> Who:
        """Who asks."""
        return self.who

    async def still(self, request: Request, who: Who) -> bool:
        """Whether they are still let in."""
        return True

    def came_by_https(self, request: Request) -> bool:
        """They came over this machine's own loopback."""
        return False


def somebody(role: Role, branches: frozenset[str] | None = None) -> Who:
    """A member of the staff."""
    return Who("s" * 32, "Wanjiru", role, branches)


@asynccontextmanager
async def at_desk(
    office: Office, role: Role = Role.OWNER, branches: frozenset[str] | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of somebody with a role, perhaps held to branches; it follows no redirects."""
    app = create_app(office.deps)
    app.state.staff = Doorman(somebody(role, branches))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://lango.test", headers=HERE
    ) as client:
        yield client
    await app.state.hub.close()


def a_branch(branch_id: str) -> BranchRow:
    """A branch that has nothing yet."""
    return BranchRow(
        id=branch_id, name=branch_id.title(), address="", phone="", email="", kra_branch="01",
        created_at=NOON,
    )  # fmt: skip


def once_in(page: str) -> str:
    """The name that a form on a page gives its deed."""
    found = re.search(r'name="once" value="([0-9a-f]{32})"', page)
    assert found is not None, "no form of the page names its deed"
    return found[1]


async def told_after(client: httpx2.AsyncClient, answer: httpx2.Response) -> str:
    """The page that a form led to."""
    assert answer.status_code == 303, answer.text
    return (await client.get(answer.headers["location"])).text
