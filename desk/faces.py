"""How the desk looks for whom: the company's face and each person's preferences, remembered for some seconds.

Every page asks for them, the sign-in page as well. While the database is away the last known ones are used, and before
anything was ever read Ringcard's own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session as Records

from config.settings import PopUp, Settings
from desk.colours import hex_of
from desk.designs import COMPANY, USUAL, Design, company_design, designs, mark_of
from desk.store import Store
from records.errors import DatabaseGone
from records.preferences import all_preferences, company_face
from records.tables import Preferences

log = logging.getLogger(__name__)

FRESH_S = 3.0
AWAY_S = 30.0
"""So long a database that gave no answer is not asked again for looks: a page waits for it long enough elsewhere."""


@dataclass(frozen=True, slots=True)
class Face:
    """The company's, as an administrator gave it."""

    name: str = ""
    accent: str = ""
    design: str = ""
    logo: str = ""


@dataclass(frozen=True, slots=True)
class Preferred:
    """One person's choices. `design` and `language` are empty where nothing was chosen."""

    design: str = ""
    mode: str = ""
    language: str = ""
    chosen_pop_up: str = ""
    pop_up: str = "ringing"
    notify: bool = True
    volume: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What the frame of a page needs."""

    design: Design
    mode: str  # light | dark; empty: as the computer has it
    company: str
    face: Face

    @property
    def theme(self) -> str:
        """The colour of what the browser draws around the page."""
        canvas = (self.design.dark if self.mode == "dark" else self.design.light).canvas
        return self.face.accent or hex_of(canvas)

    @property
    def brand(self) -> str:
        """The stylesheet with the company's accent, which stands on every page whatever the design."""
        return f":root{{--rc-brand:{self.face.accent or 'transparent'}}}\n"

    @property
    def brand_href(self) -> str:
        return f"/company/face.css?v={mark_of(self.brand)}"

    @property
    def logo(self) -> str:
        """Its address, or nothing."""
        return f"/company/logos/{self.face.logo}.png" if self.face.logo else ""


class Faces:
    """One per process."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.face = Face()
        self._store = store
        self._settings = settings
        self._clock = clock
        self._preferred: Mapping[int, Preferred] = {}
        self._fresh_until = float("-inf")
        self._changes = 0
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Before a page is made: what it shows is then FRESH_S seconds old at most, unless the database is away."""
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            changes, lasts_s = self._changes, FRESH_S
            try:
                self.face, self._preferred = await self._store.read(self._read)
            except DatabaseGone as gone:
                log.warning("preferences are not read again: %s", gone)
                lasts_s = AWAY_S
            if changes == self._changes:  # else what was read may be of before the change
                self._fresh_until = self._clock() + lasts_s

    def forget(self) -> None:
        """Read again at the next page: something was chosen just now."""
        self._changes += 1
        self._fresh_until = float("-inf")

    def preferred(self, user_id: int) -> Preferred:
        usual = self._settings.desk.pop_up
        return self._preferred.get(user_id) or Preferred(pop_up=usual)

    def look(self, user_id: int | None = None) -> Look:
        """For this person, or for whoever has not signed in."""
        preferred = self.preferred(user_id) if user_id is not None else Preferred()
        company = self.face.name or self._settings.company.name
        return Look(self.design(preferred.design or self.usual), preferred.mode, company, self.face)

    @property
    def usual(self) -> str:
        """The design of everybody who chose none."""
        return self.face.design or (COMPANY if self.face.accent else USUAL)

    def known(self) -> Mapping[str, Design]:
        """All designs that can be chosen here."""
        own = {COMPANY: company_design(self.face.accent)} if self.face.accent else {}
        return {**own, **designs()}

    def design(self, name: str) -> Design:
        """One that is gone, as after an update, is replaced by Ringcard's own."""
        known = self.known()
        return known.get(name) or known[USUAL]

    def _is_fresh(self) -> bool:
        return self._clock() < self._fresh_until

    def _read(self, records: Records) -> tuple[Face, dict[int, Preferred]]:
        found, usual = company_face(records), self._settings.desk.pop_up
        face = Face(found.name, found.accent, found.design, found.logo)
        return face, {user_id: _preferred(each, usual) for user_id, each in all_preferences(records).items()}


def _preferred(row: Preferences, usual: PopUp) -> Preferred:
    return Preferred(row.design, row.mode, row.language, row.pop_up, row.pop_up or usual, row.notify, row.volume)
