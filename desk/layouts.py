"""The card's fields as they are now: those of the settings, with what an administrator has said over them.

Every process looks every other second whether something new was said, and the one where it was said knows at once.
Until the database has been read a first time nothing is shown to anybody, because a field may be hidden there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session as Records

from config.card_fields import Field
from config.card_said import Said, over
from config.settings import Settings
from desk.layout import Layout, placed
from desk.store import Store
from records.card_layouts import layout_said, newest_layout
from records.errors import DatabaseGone

log = logging.getLogger(__name__)

LOOK_S = 2.0


class Layouts:
    """One per process; `keep` belongs to the application's life."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.file: Mapping[str, Field] = settings.fields
        self.said = Said()
        self.version: int | None = None  # None: never read
        self.currency = settings.company.currency
        self.now = self.of(self.said)
        self._store = store
        self._reading = asyncio.Lock()

    def of(self, said: Said) -> Layout:
        """The layout if this were said."""
        return Layout(placed(over(self.file, said)), self.currency)

    async def expect(self) -> None:
        """Before anything is shown. Raises DatabaseGone when it was never read and cannot be."""
        if self.version is None:
            await self.refresh()

    async def refresh(self) -> bool:
        """Reads what was said; True when that is other than before. Raises DatabaseGone."""

        def read(records: Records) -> tuple[int, Said] | None:
            return None if newest_layout(records) == self.version else layout_said(records)

        async with self._reading:  # else an older answer may come after a newer one
            found = await self._store.read(read)
            if found is None:
                return False
            self.version, self.said = found
            self.now = self.of(self.said)
            return True

    async def keep(self, changed: Callable[[], None]) -> None:
        """For ever; `changed` is told when the layout is another."""
        away = False
        while True:
            try:
                if await self.refresh():
                    changed()
                away = False
            except DatabaseGone as gone:
                if not away:
                    log.warning("the card's fields are as they were read last: %s", gone)
                away = True
            except Exception:  # to end here would hear of no change any more
                log.exception("what was said of the card's fields cannot be read")
            await asyncio.sleep(LOOK_S)
