"""Where providers call back. The path is the secret; what it says is believed by nobody yet."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from controller.api.errors import NotFound
from controller.api.needs import Needed
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.settle import take_callback

TOKEN_LENGTH_MAX = 128
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}

router = APIRouter(include_in_schema=False)


@router.post(f"{CALLBACK_PATH}{{token}}")
async def stk_callback(
    token: Annotated[str, Path(max_length=TOKEN_LENGTH_MAX)], request: Request, deps: Needed
) -> Response:
    """Keep what M-PESA says of one payment, and say so as soon as it is on disk."""
    source = request.client.host if request.client else ""
    verdict = await take_callback(deps, token=token, body=await request.body(), source=source)
    if verdict.text == "unknown_token":
        raise NotFound("payment", "with this address")
    return JSONResponse(ACCEPTED, HTTPStatus.OK)
