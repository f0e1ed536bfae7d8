"""What is learned of a payment, by whatever road, as a table of stories.

Words: ``push`` accepted; ``lose`` taken, but the answer is lost; ``drop`` neither taken nor
answered; ``busy`` turned away. ``pay``, ``cancel``, ``ignore`` is what the payer does. ``callback``
delivers, ``short`` delivers with another amount, ``garbage`` delivers what nobody can read.
``query`` lets the scheduler ask; ``down`` and ``up`` cut and mend the road to the provider;
``+90`` lets seconds pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from billing.money import Money
from controller.payments.memory import Scripted
from controller.usecases.settle import query_due, take_callback
from tests.support.builders import token_in
from tests.support.money import assert_money_is_conserved, credited

if TYPE_CHECKING:
    from tests.support.builders import World

TABLE = """
push                                   -> prompted 0
push pay callback                      -> paid     1
push pay callback callback             -> paid     1
push pay +7200 callback                -> paid     1
push pay +200 query callback           -> paid     1
push pay +200 query +200 query         -> paid     1
push cancel callback                   -> refused  0
push cancel callback callback          -> refused  0
push cancel +20 query                  -> refused  0
push cancel callback pay callback      -> paid     1
push ignore callback pay callback      -> paid     1
push ignore callback pay +900 query    -> paid     1
push +20 query                         -> prompted 0
push +121 query                        -> checking 0
push +121 query pay +900 query         -> paid     1
push +121 query pay callback           -> paid     1
push +121 query cancel callback        -> refused  0
push down pay +121 query               -> checking 0
push down pay +121 query up +900 query -> paid     1
push pay short                         -> prompted 0
push pay short query                   -> paid     1
push pay short callback                -> paid     1
push pay callback short                -> paid     1
push garbage                           -> prompted 0
push pay garbage query                 -> paid     1
lose                                   -> prompted 0
lose +20 query                         -> prompted 0
lose +121 query                        -> checking 0
lose pay callback                      -> paid     1
lose pay short query                   -> paid     1
lose +90000 query pay callback         -> paid     1
drop +121 query                        -> checking 0
busy                                   -> refused  0
busy +200 query                        -> refused  0
first                                  -> prompted 0
first callback                         -> paid     1
"""

PUSHES = {
    "push": Scripted.ACCEPT,
    "lose": Scripted.LOSE,
    "drop": Scripted.DROP,
    "busy": Scripted.BUSY,
    "first": Scripted.PAY_FIRST,
}


@dataclass(frozen=True, slots=True)
class Story:
    """A row of the table."""

    steps: tuple[str, ...]
    stage: str
    credits: int


def stories() -> list[Story]:
    rows = []
    for line in TABLE.strip().splitlines():
        steps, _, end = line.partition("->")
        stage, credits_ = end.split()
        rows.append(Story(tuple(steps.split()), stage, int(credits_)))
    return rows


async def step(world: World, word: str) -> None:
    gateway = world.gateway
    if word.startswith("+"):
        world.clock.advance(int(word))
    elif word in PUSHES:
        gateway.script(PUSHES[word])
        await world.order()
    elif word in ("pay", "cancel", "ignore"):
        decide(world, word)
    elif word in ("callback", "short"):
        await world.call_back(amount=Money(100) if word == "short" else None)
    elif word == "garbage":
        token = token_in(gateway.pushes[-1].callback_url)
        await take_callback(world.deps, token=token, body=b"{}", source="")
    elif word == "query":
        await query_due(world.deps)
    elif word in ("down", "up"):
        gateway.reachable = word == "up"
    else:
        raise AssertionError(word)


def decide(world: World, word: str) -> None:
    """What the payer does; he may have done something else before."""
    name = world.last_provider_id
    world.gateway.asked[name] = replace(world.gateway.asked[name], code=None, paid_at=None)
    if word == "pay":
        world.gateway.pay(name, world.clock())
    else:
        world.gateway.refuse(name, "1032" if word == "cancel" else "1037")


@pytest.mark.parametrize("story", stories(), ids=lambda story: " ".join(story.steps))
async def test_evidence_leads_to_one_end(world: World, story: Story) -> None:
    for word in story.steps:
        await step(world, word)
    status = await world.order()

    assert (status.stage, await credited(world.deps.db)) == (story.stage, story.credits)
    assert (status.grant_id is not None) == (story.credits == 1)
    assert len(world.gateway.pushes) == 1
    await assert_money_is_conserved(world.deps.db)
