"""The doors of an initiator: status, reversal, payout, balance. Taken now, told later.

Each is acknowledged at once; what became of it is posted to the ResultURL, once.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja import results
from controller.sandbox.daraja.book import COLLECTED, EAT, TooLittle, TooMuch
from controller.sandbox.daraja.credential import Credentials, looks_right
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped, silence
from controller.sandbox.daraja.initiator_requests import (
    APIS,
    BALANCE,
    REVERSAL,
    STATUS,
    read_order,
)
from controller.sandbox.daraja.requests import AMOUNT_MAX, Refused, invalid
from controller.sandbox.daraja.results import Conversation, Outcome

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.gate import Door, Gate
    from controller.sandbox.daraja.initiator_requests import Api, Ordered
    from controller.sandbox.daraja.network import Network

RESULT = "result"
TIMEOUT = "queue timeout"
PAYOUT_MIN = 10
CONVERSATIONS_MAX = 50_000


class Initiator:
    """The doors over one `Network`, and what was said through them."""

    def __init__(self, network: Network, courier: Courier, gate: Gate) -> None:
        self._network = network
        self._courier = courier
        self._gate = gate
        self._credentials = Credentials(network.settings)
        self._payouts: dict[str, tuple[Outcome, Ordered]] = {}
        self._originators: set[str] = set()
        self._asked = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Where the doors are, and the certificate that a credential is encrypted with."""
        return [
            Route("/sim/certificate", self.certificate),
            *(Route(a.path, enveloped(self._door(a)), methods=ANY_METHOD) for a in APIS),
        ]

    async def certificate(self, _request: Request) -> Response:
        """The certificate, as PEM."""
        return PlainTextResponse(self._credentials.certificate.decode())

    async def stop(self) -> None:
        """End all that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _door(self, api: Api) -> Door:
        async def asked(request: Request) -> Response:
            return await self._take(api, request)

        return asked

    async def _take(self, api: Api, request: Request) -> Response:
        fields = await self._gate.admitted(request, dead=api.dead)
        faults = self._network.faults
        if faults.initiator_busy:
            raise Refused(500, "500.003.02", "Error Occurred: Spike Arrest Violation")
        order = read_order(api, fields, self._network.settings)
        if not looks_right(order.credential):
            raise invalid("SecurityCredential")
        talk = self._begun(api, order)
        task = asyncio.create_task(self._run(api, order, talk))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if faults.initiator_no_answer:
            await silence(request)
        return JSONResponse(results.acknowledged(talk))

    def _begun(self, api: Api, order: Ordered) -> Conversation:
        """A conversation of its own. Raises `Refused` for a name that was used before."""
        if len(self._originators) >= CONVERSATIONS_MAX:
            raise Refused(500, "500.003.02", "System is busy. Please try again in few minutes.")
        if order.originator_id in self._originators:
            raise Refused(500, "500.002.1001", "Duplicate OriginatorConversationID.")
        day = self._network.now().astimezone(EAT).strftime("%Y%m%d")
        talk = Conversation(
            originator_id=order.originator_id or f"{secrets.token_hex(4)}-{secrets.token_hex(4)}-1",
            conversation_id=f"AG_{day}_{secrets.token_hex(10)}",
            timeout_url=order.timeout_url,
            lists_references=api is STATUS,
            writes_texts=api is BALANCE,
        )
        self._originators.add(talk.originator_id)
        return talk

    async def _run(self, api: Api, order: Ordered, talk: Conversation) -> None:
        faults, courier = self._network.faults, self._courier
        await asyncio.sleep(self._network.settings.working_ms / 1000)
        if faults.result_timeout:
            body = results.timed_out(talk)
            await courier.post(TIMEOUT, talk.conversation_id, order.timeout_url, body)
            return
        outcome = self._refusal(order) or self._done(api, order, talk)
        self._network.changed()
        if api.name == "b2c":
            self._payouts[talk.originator_id] = outcome, order
            self._payouts[talk.conversation_id] = outcome, order
        if faults.result_late_s:
            await asyncio.sleep(faults.result_late_s)
        body = results.result(talk, outcome, faults)
        if faults.result_lost:
            courier.lose(RESULT, talk.conversation_id, order.result_url, body)
            return
        for _ in range(2 if faults.result_doubled else 1):
            await courier.post(RESULT, talk.conversation_id, order.result_url, body)

    def _refusal(self, order: Ordered) -> Outcome | None:
        """Why this initiator may not, or None."""
        settings, faults = self._network.settings, self._network.faults
        if faults.initiator_locked:
            return self._failed("8006")
        known = order.initiator == settings.initiator_name
        if not known or not self._credentials.is_right(str(order.credential)):
            return self._failed("2001")
        return self._failed("21") if faults.initiator_role else None

    def _done(self, api: Api, order: Ordered, talk: Conversation) -> Outcome:
        if api is STATUS:
            return self._told(order, talk)
        if api is BALANCE:
            return self._balances()
        try:
            return self._reversed(order) if api is REVERSAL else self._paid(order)
        except TooLittle:
            return self._failed("1")
        except TooMuch:
            return self._failed("8")

    def _told(self, order: Ordered, talk: Conversation) -> Outcome:
        receipt = order.subject
        if order.subject in self._payouts:
            outcome, payout = self._payouts[order.subject]
            if outcome.code != "0":
                moment = self._network.now()
                pairs = results.declined(outcome.receipt, shillings=payout.shillings, moment=moment)
                return Outcome("0", outcome.receipt, pairs)
            receipt = outcome.receipt
        settled = self._network.book.found(receipt)
        if settled is None:
            return self._failed("25")
        self._asked += 1
        pairs = results.status(
            settled,
            business=self._network.settings.business,
            conversation_id=talk.conversation_id,
            number=self._asked,
        )
        return Outcome("0", settled.receipt, pairs)

    def _reversed(self, order: Ordered) -> Outcome:
        original = self._network.book.found(order.subject)
        whole = original is not None and original.shillings == order.shillings
        if original is None or original.kind not in COLLECTED or not whole:
            return self._failed("R000002")
        if self._network.book.is_given_back(original.receipt):
            return self._failed("R000001")
        given = self._network.book.give_back(original)
        business = self._network.settings.business
        return Outcome(
            "0", given.receipt, results.reversed_payment(original, given, business=business)
        )

    def _paid(self, order: Ordered) -> Outcome:
        if order.shillings < PAYOUT_MIN:
            return self._failed("2")
        if order.shillings > AMOUNT_MAX:
            return self._failed("3")
        if self._network.faults.payout_unregistered:
            return self._failed("2040")
        settled = self._network.book.pay_out(order.subject, order.shillings)
        return Outcome("0", settled.receipt, results.paid_out(settled))

    def _balances(self) -> Outcome:
        pairs = results.balances(
            self._network.book.balance,
            is_till=self._network.settings.till is not None,
            moment=self._network.now(),
        )
        return Outcome("0", self._network.book.failed_receipt(), pairs)

    def _failed(self, code: str) -> Outcome:
        return Outcome(code, self._network.book.failed_receipt())
