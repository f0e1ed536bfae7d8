"""What the keys do, as a page for those without scripts."""

from __future__ import annotations

from controller.noc import live


async def look(asked: live.Asked) -> object:
    """Nothing but the frame."""
    return asked.who.role


KEYS = live.View(
    name="Keys", path="/noc/help", right=None, look=look, template="help/page.html", every_s=0
)

router = live.pages(KEYS)
