"""Signing in from a command line: a login, a password and a code, for an API token of 90 days.

Open to all, as the page is; the same rules and the same waits hold.
"""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from controller.api.auth import caller_of
from controller.api.needs import Needed, staff_of
from controller.usecases import api_tokens, sign_in
from controller.usecases.sign_in import NotSignedIn

router = APIRouter(prefix="/api/sign-in", tags=["sign-in"])

LASTS = timedelta(days=90)
Secret = Annotated[str, Field(max_length=128, repr=False)]


class PasswordIn(BaseModel):
    """The first step."""

    model_config = ConfigDict(extra="forbid")

    login: Annotated[str, Field(max_length=120)]
    password: Secret


class StepOut(BaseModel):
    """What the second step is shown, within five minutes."""

    step: str


class CodeIn(BaseModel):
    """The second step: a code of the authenticator app or a recovery code; the token's name."""

    model_config = ConfigDict(extra="forbid")

    step: Secret
    code: Annotated[str, Field(max_length=40, repr=False)]
    name: Annotated[str, Field(min_length=1, max_length=80)]


class SignedInOut(BaseModel):
    """A key, shown this once."""

    id: str
    token: str
    name: str
    role: str
    expires_at: datetime


@router.post("")
async def first_step(deps: Needed, request: Request, asked: PasswordIn) -> StepOut:
    """Show a login and a password."""
    passwords = staff_of(request).passwords
    caller = caller_of(request)
    return StepOut(
        step=await sign_in.with_password(deps, passwords, asked.login, asked.password, caller)
    )


@router.post("/code", status_code=HTTPStatus.CREATED)
async def second_step(deps: Needed, request: Request, asked: CodeIn) -> SignedInOut:
    """Show a code; an API token with one's own role and branches."""
    new = await sign_in.with_code(deps, asked.step, asked.code, caller_of(request))
    await sign_in.end_session_of(deps, new.session)
    who = await api_tokens.holder(deps, new.staff_id)
    if who is None:
        raise NotSignedIn
    request.state.who = who
    made = await api_tokens.make(deps, who, name=asked.name, lasts=LASTS)
    assert made.row.expires_at is not None
    return SignedInOut(
        id=made.row.id,
        token=made.secret,
        name=made.row.name,
        role=made.row.role,
        expires_at=made.row.expires_at,
    )
