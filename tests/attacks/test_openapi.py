"""Schemathesis over the whole OpenAPI, in this process: nothing breaks, and answers are as written.

``ATTACK_EXAMPLES=60`` tries more of each operation (about two minutes).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from controller.api.app import described_app
from tests.attacks.asking import application
from tests.attacks.conftest import copied
from tests.support.two_branches import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from tests.attacks.business import Business

EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "2"))
WHERE = "http://lango.test"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SENT = ("method", "url", "headers", "params", "data", "json")


class Attack:
    """One operation after another, asked of one application in one loop."""

    def __init__(self, app: FastAPI, business: Business, loop: asyncio.Runner) -> None:
        """Everything is asked with the machine's key."""
        self._app, self._business, self._loop = app, business, loop
        self._turns = itertools.count()
        self.answers: list[int] = []

    def on(self, operation: Any) -> None:
        """Ask an operation `EXAMPLES` times. Raises what is not as it is described."""

        @seed(4)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            if next(self._turns) % 4:
                self._aim(case)
            self._ask(case)

        ask()

    def _aim(self, case: Any) -> None:
        """Let names stand for what is there: else nothing would ever be found."""
        ids = {**self._business.ids, "subscriber": self._business.ids["phone"], "branch_id": HERE}
        for place in (case.path_parameters, case.body):
            for name in place if isinstance(place, dict) else ():
                if name in ids and isinstance(place[name], str):
                    place[name] = ids[name]

    def _ask(self, case: Any) -> None:
        key = {"Authorization": f"Bearer {self._business.office.key}"}
        told = case.as_transport_kwargs(base_url=WHERE, headers=key)
        sent = requests.Request(**{k: v for k, v in told.items() if k in SENT}).prepare()
        answer = self._loop.run(self._answer(sent))
        self.answers.append(answer.status_code)
        seen = Response(
            status_code=answer.status_code,
            headers={name.lower(): [value] for name, value in answer.headers.items()},
            content=answer.content,
            request=sent,
            elapsed=0.0,
            verify=False,
            http_version="1.1",
        )
        case.validate_response(seen, checks=CHECKS)

    async def _answer(self, sent: requests.PreparedRequest) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self._app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=WHERE) as client:
            body = sent.body.encode() if isinstance(sent.body, str) else sent.body
            assert body is None or isinstance(body, bytes), "nothing here is sent in pieces"
            headers = {name: str(value) for name, value in sent.headers.items()}
            return await client.request(
                str(sent.method), str(sent.url), headers=headers, content=body
            )


@pytest.mark.timeout(900)
def test_every_operation_answers_as_it_is_described(stocked: Business, tmp_path: Path) -> None:
    schema = schemathesis.openapi.from_dict(described_app().openapi())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    guilty = []
    with asyncio.Runner() as loop:
        business = copied(stocked, tmp_path / "lango.db")
        app = application(business)
        attack = Attack(app, business, loop)
        for operation in operations:
            try:
                attack.on(operation)
            except Exception as fault:  # noqa: BLE001 - every fault is told, then the next is looked for
                guilty.append(f"{operation.label}: {fault!r:.300}")
        loop.run(app.state.hub.close())
        loop.run(business.office.deps.db.close())
    found = sum(code < 300 for code in attack.answers)

    assert not guilty, "\n".join(guilty)
    assert found * 5 > len(attack.answers), "what is there is found often enough to be looked at"
