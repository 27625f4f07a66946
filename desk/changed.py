"""After a change of customers that was made here: the cache forgets them, and screens that show them are told at once.

The worker would do the same a moment later (`records.marks`), and does it when this could not be done.
"""

from __future__ import annotations

from contextlib import suppress

from desk.services import Services
from lookup.breaker import StoreGone
from records.touched import Touched


async def tell(desk: Services, touched: Touched) -> None:
    if not touched:
        return
    with suppress(StoreGone):
        await desk.parts.finder.forget(touched.keys, touched.tails, touched.ranges)
    desk.cards.changed(touched.customer_ids)
