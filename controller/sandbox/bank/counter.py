"""A bank's counter, for people: who pays in there is told to the account's owner at once."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from controller.sandbox.bank.faults import SWITCHES, Faults
from controller.sandbox.bank.movements import Account, Movement, What
from controller.sandbox.bank.mt940 import write_mt940
from controller.sandbox.bank.notices import SigningBank
from controller.sandbox.keys import kept_key
from controller.sandbox.panel import PlainPages, form_of, panel_routes
from controller.sandbox.posting import Postman
from controller.sandbox.remote import Chores, Setting, setting_routes
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request

    from controller.sandbox.bank.settings import BankSimSettings

TYPED_MAX = 40
MOVEMENTS_SHOWN_MAX = 10
SHILLINGS_MAX = 999_999
_AMOUNT = re.compile(r"[0-9]{1,6}")


class Counter:
    """The page, and what it does."""

    def __init__(
        self,
        settings: BankSimSettings,
        *,
        bank: SigningBank,
        setting: Setting[Faults],
        postman: Postman,
        chores: Chores,
        pages: PlainPages,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._bank, self._forger = bank, SigningBank()
        self._setting = setting
        self._postman = postman
        self._chores = chores
        self._pages = pages
        self._now = now
        self._movements: list[Movement] = []

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/", self.counter, methods=["GET", "POST"]),
            Route("/statement.mt940", self.statement),
            Route("/sim/public-key", self.public_key),
        ]

    async def counter(self, request: Request) -> Response:
        """What came in, and a form to pay in more."""
        wrong = ""
        form = await form_of(request) if request.method == "POST" else {}
        if request.method == "POST":
            wrong = self._paid_in(form)
            if not wrong:
                return RedirectResponse("/", 303)
        return self._pages.page(
            "counter.html",
            status=422 if wrong else 200,
            wrong=wrong,
            typed=form.get("typed", ""),
            amount=form.get("amount", ""),
            account=self._settings.account,
            movements=list(islice(reversed(self._movements), MOVEMENTS_SHOWN_MAX)),
        )

    async def statement(self, _request: Request) -> Response:
        """The file with all that was paid in, whether it was told or not."""
        account = Account(self._settings.account, 0, tuple(self._movements))
        named = {"Content-Disposition": 'attachment; filename="statement.mt940"'}
        return Response(write_mt940(account), media_type="text/plain", headers=named)

    async def public_key(self, _request: Request) -> Response:
        """What those who want to check a notice are given, as PEM."""
        return JSONResponse({"public_key": self._bank.public_key})

    def _paid_in(self, form: dict[str, str]) -> str:
        """Take the money and tell of it; or what is wrong with the first wrong field."""
        typed, amount = form.get("typed", "").strip(), form.get("amount", "").strip()
        if len(typed) > TYPED_MAX:
            return f"A reference of at most {TYPED_MAX} characters, please."
        if not _AMOUNT.fullmatch(amount) or not amount.isascii() or int(amount) == 0:
            return f"An amount of 1 to {SHILLINGS_MAX:,} shillings, please."
        receipt = f"FT{secrets.token_hex(5).upper()}"
        cents = int(amount) * 100
        movement = Movement(self._now(), What.PAID, cents, receipt, typed, name="AT THE COUNTER")
        self._movements.append(movement)
        self._chores.start(lambda: self._tell(movement))
        return ""

    async def _tell(self, movement: Movement) -> None:
        faults, url = self._setting.faults, self._setting.callback_url
        signing = self._forger if faults.notice_forged else self._bank
        notice = signing.account_notice(movement, self._settings.account)
        if faults.notice_late_s:
            await asyncio.sleep(faults.notice_late_s)
        if faults.notice_lost:
            self._postman.lose(url, notice.body, about=movement.receipt)
            return
        kind = "forged" if faults.notice_forged else "true"
        for _ in range(2 if faults.notice_doubled else 1):
            await self._postman.post(
                url, notice.body, kind=kind, about=movement.receipt, headers=notice.headers
            )


def build_app(settings: BankSimSettings, *, now: Callable[[], datetime]) -> Starlette:
    """The application; ``now`` is its clock."""
    http = httpx2.AsyncClient(trust_env=False, verify=trusted())
    chores = Chores()
    setting = Setting(Faults(), settings.callback_url)
    postman = Postman(http=http, now=now)
    pages = PlainPages("A simulated bank", Path(__file__).parent / "templates")
    counter = Counter(
        settings,
        bank=SigningBank(kept_key(settings.key_path)),
        setting=setting,
        postman=postman,
        chores=chores,
        pages=pages,
        now=now,
    )

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await chores.stop()
        await http.aclose()

    return Starlette(
        routes=[
            *counter.routes(),
            *panel_routes(pages, setting, postman, SWITCHES),
            *setting_routes(setting, postman, SWITCHES),
        ],
        lifespan=life,
    )
