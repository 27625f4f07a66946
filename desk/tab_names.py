"""Which pages are kept as tabs, and under which names a browser keeps them.

A browser's storage outlives a session and may be read by whoever sits down next, so a name says nothing: it is an id,
or the address of a list sealed with the desk's secret for this one person. Titles are asked for each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from config.sentences import say
from records.errors import Refused
from records.sealing import SteadySeal

LONGEST = 1000
"""Characters of an address that is kept."""

CUSTOMER = re.compile(r"/customers/([1-9][0-9]{0,8})(|/edit|/fields|/history)")
CALL = re.compile(r"/calls/([A-Za-z0-9_.:-]{1,80})")
TASK = re.compile(r"/tasks/([1-9][0-9]{0,8})")
LIST = re.compile(r"/customers|/calls|/tasks|/reports(/.*)?")
NEW = "/customers/new"

KINDS = {"c": "customer", "k": "call", "t": "task", "l": "list", "n": "new"}


@dataclass(frozen=True, slots=True)
class Tab:
    """`key` is what makes it the same tab, `at` which page of a customer is looked at in it."""

    key: str
    at: str = ""

    @property
    def kind(self) -> str:
        """customer, call, task, list or new; empty: no name of ours."""
        return KINDS.get(self.key[:1], "")


class TabNames:
    """Makes names of addresses, and addresses of names."""

    def __init__(self, secret: str) -> None:
        self._seal = SteadySeal(secret, "ringcard tabs 1")

    def of(self, user_id: int, path: str, query: str) -> Tab | None:
        """None for a page that is no tab."""
        if found := CUSTOMER.fullmatch(path):
            return Tab(f"c{found[1]}", found[2])
        if found := TASK.fullmatch(path):
            return Tab(f"t{found[1]}")
        if found := CALL.fullmatch(path):
            return Tab(f"k{found[1]}")
        address = f"{path}?{query}" if query else path
        if len(address) > LONGEST or address == "/customers":
            return None  # the list of everybody is a place, one click away from everywhere
        if path == NEW:
            return Tab("n" + self._seal.close(address, str(user_id)))
        if LIST.fullmatch(path):
            return Tab("l" + self._seal.close(address, str(user_id)))
        return None

    def address(self, user_id: int, tab: Tab) -> str:
        """Where it leads. Raises Refused for a name that this person was not given."""
        rest = tab.key[1:]
        match tab.kind:
            case "customer" if CUSTOMER.fullmatch(f"/customers/{rest}{tab.at}"):
                return f"/customers/{rest}{tab.at}"
            case "task" if TASK.fullmatch(f"/tasks/{rest}"):
                return f"/tasks/{rest}"
            case "call" if CALL.fullmatch(f"/calls/{rest}"):
                return f"/calls/{rest}"
            case "list" | "new":
                return self._seal.open(rest, str(user_id))
        raise Refused(say("This is no tab."))
