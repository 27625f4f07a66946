"""What the desk is given when it is put together: plain promises, so that it names neither Redis nor Asterisk.

`ringcard/compose.py` opens the real ones. The desk opens and closes nothing of this except its own follower.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine as Database

from config.measures import Said
from config.settings import Settings
from lookup.answers import Answer, Caller, Number
from lookup.notices import LiveCall, Notice


class LiveCalls(Protocol):
    """The calls of now. Raises StoreGone when they cannot be read."""

    async def snapshot(self) -> tuple[str, Sequence[LiveCall]]:
        """All live calls, with the id of the last notice that they include."""
        ...


class Notices(Protocol):
    """The stream of notices."""

    def follow(self, after_id: str) -> AsyncIterator[tuple[str, Notice]]:
        """Every notice after `after_id` with its id, for ever. Raises StoreGone when the stream cannot be read."""
        ...


class Finder(Protocol):
    """The lookup engine."""

    @property
    def outages(self) -> Mapping[str, str]:
        """Stores that cannot be used now, with the reason."""
        ...

    async def find(self, caller: Caller, budget_s: float) -> Answer: ...

    async def forget(
        self, match_keys: Iterable[str], tails: Iterable[str] = (), ranges: Iterable[tuple[str, int]] = ()
    ) -> None:
        """The records behind these have changed. Raises StoreGone."""
        ...


class Finding(Protocol):
    """What doctor says of one link between a customer's call and the name on the phone."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str:
        """ok, warn or fail."""
        ...

    @property
    def seen(self) -> str: ...

    @property
    def mend(self) -> str:
        """What to do; empty when there is nothing to mend."""
        ...


class Imports(Protocol):
    """Runs the steps of imports, each in a program of its own."""

    def start(self, step: str, import_id: int) -> None:
        """`step` is "check", "go_on" or "undo". Returns at once."""
        ...

    def running(self, import_id: int) -> bool:
        """Whether what was started is still at work."""
        ...


@dataclass(frozen=True)
class DeskParts:
    """All that `desk.app.create_app` needs."""

    settings: Settings
    database: Database
    live: LiveCalls
    notices: Notices
    finder: Finder
    secret: str  # signs sessions and the links given to phones
    dialplan_token: str
    imports: Imports
    read_number: Callable[[str], Number]  # as people of the company write numbers
    figures: Callable[[], Awaitable[Sequence[Said]]]  # what all processes of this machine say of themselves
    tell: Callable[[Notice], None]  # every desk, of a simulated call; returns at once
    examine: Callable[[], Awaitable[Sequence[Finding]]]  # doctor's look at every link; takes seconds
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
