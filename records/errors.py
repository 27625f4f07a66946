"""What can go wrong with the records, as exceptions whose text can be shown to a person as it is.

One tree: `except RecordsError` is every broken promise of this folder, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from config.sentences import say


class RecordsError(Exception):
    """Something about the records is not as it must be; the message says what, and what to do next."""


class DatabaseGone(RecordsError):
    """The database cannot be reached, stopped answering or is locked. It may come back: try again later."""


class DatabaseOld(RecordsError):
    """The database has not been migrated to what this program needs."""


class DatabaseNewer(RecordsError):
    """A newer Ringcard migrated this database; this one would not understand what it reads."""


class DatabaseForeign(RecordsError):
    """The database holds tables of another program."""


class NotFound(RecordsError):
    """No row has the id that was asked for."""


class Conflict(RecordsError):
    """The change cannot be made beside what is already there: a login in use, a row changed by somebody else."""


class Refused(RecordsError):
    """What was given cannot be kept: an empty name, a file that is no picture, a table without a number column."""


class Unfit(Refused):
    """Values that cannot be kept, with what is wrong by the name of their field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        each = (say("{field}: {what}", field=name, what=error) for name, error in errors.items())
        super().__init__(reduce(lambda before, after: say("{before}; {after}", before=before, after=after), each))
        self.errors = errors
