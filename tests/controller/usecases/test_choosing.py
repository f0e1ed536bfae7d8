"""Settings chosen on screen: nothing half-done, secrets sealed, taken over by who runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller import acting
from controller.acting import Actor
from controller.choices import Choices, opened
from controller.config import ConfigFaults, Fixed
from controller.store import chosen
from controller.store.audit_rows import AuditRow
from controller.usecases.choosing import (
    ChoiceWatch,
    began_anew,
    choose,
    is_taken_over,
    refuse_fixed,
    to_be,
)
from tests.controller.test_choices import KEYS
from tests.support.office import NOON, office

if TYPE_CHECKING:
    from controller.deps import Deps
    from tests.support.office import Office

__all__ = ["office"]

STAFF = Actor("s1", "Jane", "10.0.0.7", "POST /noc/setup/mpesa", "r", NOON)


async def kept(deps: Deps) -> dict[str, object]:
    async with deps.db.read() as tx:
        return opened(await chosen.every(tx), deps.vault)


async def test_all_faults_are_told_and_nothing_is_kept(office: Office) -> None:
    wrong = {**KEYS, "mpesa.shortcode": "12x", "mpesa.consumer_key": "", "sms.sender_id": "a b"}
    with pytest.raises(ConfigFaults) as refused:
        await choose(office.deps, wrong)

    assert {fault.partition(":")[0] for fault in refused.value.faults} == {
        "mpesa.shortcode", "mpesa.consumer_key", "sms.sender_id", "sms.username", "sms.api_key",
    }  # fmt: skip
    assert await kept(office.deps) == {}


async def test_production_wants_a_public_address_first(office: Office) -> None:
    real = {**KEYS, "mpesa.base_url": "https://api.safaricom.co.ke"}
    with pytest.raises(ConfigFaults, match=r"http\.public_url: want https") as refused:
        await choose(office.deps, real)
    await choose(office.deps, {"http.public_url": "https://pay.example.co.ke"})
    settings = await choose(office.deps, real)

    assert len(refused.value.faults) == 1
    assert settings.public_url == "https://pay.example.co.ke"


@pytest.mark.parametrize(
    "url", ["https://[2001:db8::1", "https://pay.example.co.ke:99999", "https://pay.example:x"]
)
async def test_an_address_with_which_no_controller_would_start_is_refused(
    office: Office, url: str
) -> None:
    with pytest.raises(ConfigFaults, match=r"http\.public_url: want https?://"):
        await choose(office.deps, {"http.public_url": url})

    assert await kept(office.deps) == {}


async def test_a_public_address_is_not_taken_from_under_a_real_account(office: Office) -> None:
    await choose(office.deps, {"http.public_url": "https://pay.example.co.ke"})
    await choose(office.deps, {**KEYS, "mpesa.base_url": "https://api.safaricom.co.ke"})
    with pytest.raises(ConfigFaults, match=r"http\.public_url"):
        await choose(office.deps, {"http.public_url": None})

    assert (await kept(office.deps))["http"] == {"public_url": "https://pay.example.co.ke"}


async def test_a_secret_that_is_not_named_stays_and_one_that_is_the_same_is_not_sealed_anew(
    office: Office,
) -> None:
    await choose(office.deps, KEYS)
    async with office.deps.db.read() as tx:
        before = chosen.mark_of(await chosen.every(tx))
    await choose(office.deps, {"mpesa.passkey": "passkey", "mpesa.shortcode": "600111"})
    async with office.deps.db.read() as tx:
        assert chosen.mark_of(await chosen.every(tx)) == before
    settings = await choose(office.deps, {"mpesa.shortcode": "600222"})

    assert settings.mpesa is not None
    assert settings.mpesa.consumer_secret.get_secret_value() == "secret"


async def test_the_audit_log_names_what_was_chosen_and_no_secret(office: Office) -> None:
    with acting.acting(STAFF):
        await choose(office.deps, KEYS)
    async with office.deps.db.read() as tx:
        (told,) = await tx.scalars(select(AuditRow.changes))

    assert '"600111' in told.replace("\\", "")
    assert "mpesa.passkey" in told
    assert '"hidden":["sealed"]' in told
    assert "gAAAA" not in told


async def test_forgetting_lets_the_usual_hold_again(office: Office) -> None:
    await choose(office.deps, KEYS)
    settings = await choose(office.deps, dict.fromkeys(KEYS))

    assert settings.mpesa is None
    assert await kept(office.deps) == {}


def test_what_the_file_fixes_is_refused_by_its_name(office: Office) -> None:
    fixed = Fixed((("controller.toml", {"mpesa": {"shortcode": "600111"}}),))
    deps = replace(office.deps, choices=Choices(fixed))
    with pytest.raises(ConfigFaults, match=r"mpesa\.shortcode: is set in controller\.toml"):
        refuse_fixed(deps, KEYS)


async def test_a_controller_takes_over_at_the_second_look(office: Office) -> None:
    taken: list[str] = []
    watch = ChoiceWatch(lambda: taken.append("over"), holder="ours")
    await watch.look(office.deps)
    await choose(office.deps, KEYS)
    assert not await is_taken_over(office.deps)
    await watch.look(office.deps)
    assert taken == []
    await watch.look(office.deps)

    assert taken == ["over"]


async def test_controllers_of_one_database_begin_anew_one_after_another(office: Office) -> None:
    taken: list[str] = []
    one = ChoiceWatch(lambda: taken.append("one"), holder="host-1:7")
    other = ChoiceWatch(lambda: taken.append("other"), holder="host-2:7")
    await choose(office.deps, KEYS)
    for watch in (one, other, one, other, other):
        await watch.look(office.deps)
    assert taken == ["one"]
    await began_anew(office.deps, holder="host-2:7")
    await other.look(office.deps)
    assert taken == ["one"]
    await began_anew(office.deps, holder="host-1:7")
    await other.look(office.deps)

    assert taken == ["one", "other"]


async def test_one_that_does_not_come_back_holds_up_nobody_for_long(office: Office) -> None:
    taken: list[str] = []
    await choose(office.deps, KEYS)
    for name in ("lost", "other"):
        watch = ChoiceWatch(lambda name=name: taken.append(name), holder=name)  # type: ignore[misc]
        await watch.look(office.deps)
        await watch.look(office.deps)
    assert taken == ["lost"]
    office.clock.forward(seconds=31)
    await watch.look(office.deps)

    assert taken == ["lost", "other"]


async def test_choices_that_another_file_forbids_are_left_alone(office: Office) -> None:
    """Another controller on the same database may be told more than we are."""
    await choose(office.deps, KEYS)
    fixed = Fixed((("controller.toml", {"mpesa": {"initiator": "api"}}),))
    deps = replace(office.deps, choices=Choices(fixed))
    taken: list[str] = []
    watch = ChoiceWatch(lambda: taken.append("over"), holder="ours")
    for _ in range(4):
        await watch.look(deps)

    assert taken == []
    assert await to_be(deps) is deps.settings
