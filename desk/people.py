"""Who is reading, and who sits at which phone, as values. Pure: `desk/directory.py` fetches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from config.sentences import listed, say
from lookup.notices import LiveCall, RungPhone

ROLE_NAMES = {"agent": say("agent"), "supervisor": say("supervisor"), "administrator": say("administrator")}


@dataclass(frozen=True, slots=True)
class Reader:
    """The person a page or a notice is made for. `role` decides which fields they see, in `desk/views.py` alone."""

    user_id: int
    login: str
    name: str
    role: str  # agent | supervisor | administrator
    sees: frozenset[int] | None  # users whose calls this person may see; None: everybody's

    def may_see(self, people: Iterable[int]) -> bool:
        """Whether a call that concerns `people` may be shown to this reader."""
        return self.sees is None or not self.sees.isdisjoint(people)


@dataclass(frozen=True, slots=True)
class Directory:
    """People by id, and the ids of those who sit at a phone (of a node, or outside under node "")."""

    names: Mapping[int, str] = field(default_factory=dict)
    at_phone: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    outside: Mapping[str, frozenset[int]] = field(default_factory=dict)
    undisturbed: frozenset[int] = frozenset()  # who does not want to be disturbed

    def people(self, node: str, endpoint: str) -> frozenset[int]:
        """Users whose phone this is: none for a phone that nobody has, several for a shared one."""
        return self.at_phone.get((node, endpoint)) or self.outside.get(endpoint, frozenset())

    def rung(self, call: LiveCall, phone: RungPhone) -> frozenset[int]:
        """Users whom this phone of the call rings, or rang."""
        return frozenset({phone.page_of}) if phone.page_of else self.people(call.node, phone.endpoint)

    def concerned(self, call: LiveCall) -> frozenset[int]:
        """Users whom any phone of the call rings, or rang."""
        return frozenset[int]().union(*(self.rung(call, phone) for phone in call.phones))

    def phones_of(self, user_id: int) -> frozenset[str]:
        """Names of this person's phones, inside and outside."""
        inside = (name for (_, name), people in self.at_phone.items() if user_id in people)
        return frozenset((*inside, *(name for name, people in self.outside.items() if user_id in people)))

    def called(self, node: str, endpoint: str) -> str:
        """What to call whoever sits at a phone: their names, or "phone 104" when it is nobody's."""
        return self._named(self.people(node, endpoint)) or say("phone {endpoint}", endpoint=endpoint)

    def called_in(self, call: LiveCall, phone: RungPhone) -> str:
        """The same, of a phone in this call."""
        return self._named(self.rung(call, phone)) or say("phone {endpoint}", endpoint=phone.endpoint)

    def _named(self, users: Iterable[int]) -> str:
        return join(sorted(self.names[user] for user in users if user in self.names))


def join(names: Iterable[str]) -> str:
    """ "Dara", "Dara and Mony", "Dara, Mony and Sok"."""
    *first, last = [*names] or [""]
    return say("{names} and {name}", names=listed(first), name=last) if first else last
