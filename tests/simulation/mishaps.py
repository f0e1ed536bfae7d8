"""What befalls a site, its link, and the controller."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation.network import Weather

if TYPE_CHECKING:
    from tests.simulation.story import Story

NO_TIME = timedelta(0)
WRONG_CLOCKS = (
    NO_TIME,
    NO_TIME,
    NO_TIME,
    timedelta(days=-56 * 365),
    timedelta(days=56 * 365),
    timedelta(hours=-2),
)


async def bad_weather(story: Story) -> None:
    """A link loses, doubles and delays."""
    link = story.place().link
    link.weather = Weather(
        lose=story.chance.choice((0, 0.1, 0.4)),
        double=story.chance.choice((0, 0.3, 0.6)),
        delay_s=story.chance.choice((0.05, 1, 8)),
    )
    story.world.tell(f"weather: {link.weather}")


async def cut(story: Story) -> None:
    """A link is gone."""
    place = story.place()
    place.link.cut()
    story.world.tell(f"{place.site_id}: link cut")


async def mend_links(story: Story) -> None:
    """All links are as good as ever."""
    for place in story.world.places:
        place.link.mend()
    story.world.tell("links mended")


async def kill_agent(story: Story) -> None:
    """The agent dies, perhaps while it writes; the kernel goes on alone."""
    place = story.place()
    if place.up:
        torn = story.chance.random() < 0.5
        await place.kill(torn=torn)
        story.world.tell(f"{place.site_id}: agent killed{', write torn' if torn else ''}")
        await story.passes(story.chance.choice((1, 10, 60, 300)) * story.chance.random())
        place.start()


async def power_cut(story: Story) -> None:
    """The box loses its power: counters begin anew, and its clock may be wrong."""
    place = story.place()
    if place.up:
        await place.lose_power(torn=story.chance.random() < 0.5)
        off_s = story.chance.choice((60, 300, 900)) * story.chance.random()
        wrong = story.chance.choice(WRONG_CLOCKS)
        await story.passes(off_s)
        place.boot(wrong=wrong, off_s=off_s)
        story.world.tell(f"{place.site_id}: power was off {off_s:.0f} s, clock wrong by {wrong}")


async def set_clocks(story: Story) -> None:
    """The machines hear the right time."""
    for place in story.world.places:
        place.set_right()
    story.world.tell("clocks set right")


async def kill_office(story: Story) -> None:
    """The controller dies in the middle of whatever it does, and is started again."""
    await story.world.office.kill()
    story.world.tell("controller killed and started again")


async def mpesa_hides(story: Story) -> None:
    """M-PESA cannot be asked, or can again."""
    gateway = story.world.office.gateway
    gateway.reachable = not gateway.reachable
    story.world.tell(f"M-PESA answers: {gateway.reachable}")


async def tamper(story: Story) -> None:
    """Somebody meddles with a box."""
    place = story.place()
    place.box.tamper(story.chance.choice(list(place.devices)))
    story.world.tell(f"{place.site_id}: somebody meddled with the box")


async def kernel_refuses(story: Story) -> None:
    """A box does nothing that it is told, for a while."""
    place = story.place()
    if place.up:
        place.box.broken = True
        story.world.tell(f"{place.site_id}: the kernel refuses")
        await story.passes(story.chance.uniform(1, 30))
        place.obey()


async def fill_disk(story: Story) -> None:
    """A disk takes nothing more."""
    place = story.place()
    if place.up:
        place.fill_disk()
        story.world.tell(f"{place.site_id}: disk full")


async def make_room(story: Story) -> None:
    """There is room again on all disks."""
    for place in story.world.places:
        if place.up:
            place.disk.full = False


async def long_while(story: Story) -> None:
    """Nothing in particular happens."""
    await story.passes(story.chance.uniform(100, 500))
