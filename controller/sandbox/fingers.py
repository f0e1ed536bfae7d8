"""Types PINs on the simulated handset, for devices that have no person."""

from __future__ import annotations

from typing import Any

import httpx2
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from controller.tls import trusted

PROMPT_WAIT_S = 20.0
LOOK_EVERY_S = 0.1
CALL_WAIT_S = 5.0


class NoPrompt(Exception):  # noqa: N818 - a sentence
    """No prompt came to that phone in time."""


class Fingers:
    """The simulated network's control interface."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.AsyncClient(
            base_url=url, timeout=CALL_WAIT_S, trust_env=False, verify=trusted()
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.aclose()

    async def prompts(self, msisdn: str) -> list[dict[str, Any]]:
        """The prompts that are on this phone's screen now, oldest first. Raises HTTPError."""
        answer = await self.client.get("/sim/prompts")
        answer.raise_for_status()
        return [p for p in answer.json() if p["msisdn"] == msisdn and p["on_screen"]]

    async def prompt(self, msisdn: str, *, wait_s: float = PROMPT_WAIT_S) -> dict[str, Any]:
        """The next prompt on this phone. Raises `NoPrompt`, HTTPError."""

        def empty(found: list[dict[str, Any]]) -> bool:
            return not found

        found: list[dict[str, Any]] = await AsyncRetrying(
            retry=retry_if_result(empty),
            stop=stop_after_delay(wait_s),
            wait=wait_fixed(LOOK_EVERY_S),
            retry_error_callback=lambda _: [],
        )(self.prompts, msisdn)
        if not found:
            raise NoPrompt(f"no prompt came to {msisdn} within {wait_s:g} s")
        first: dict[str, Any] = found[0]
        return first

    async def pay(self, msisdn: str, *, pin: str = "1234", wait_s: float = PROMPT_WAIT_S) -> None:
        """Wait for the prompt and type the PIN. Raises `NoPrompt`, HTTPError."""
        prompt = await self.prompt(msisdn, wait_s=wait_s)
        answer = await self.client.post(f"/sim/prompts/{prompt['id']}/pin", json={"pin": pin})
        answer.raise_for_status()
