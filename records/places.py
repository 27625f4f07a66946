"""Phones as people and programs name them -> the places where somebody sits. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from config.sentences import say
from records.errors import Refused
from records.numbers import Reader

ENDPOINT = re.compile(r"[A-Za-z0-9_.+-]{1,80}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A phone at which somebody sits; one outside (a mobile) is called by its number."""

    node: str
    name: str
    inside: bool = True


def place(node: str, name: str, inside: bool, nodes: Sequence[str], read_number: Reader) -> Place:
    """`nodes`: every PBX; the first is meant when none is said. Raises Refused."""
    node = node or nodes[0]
    if node not in nodes:
        raise Refused(say("there is no PBX {node!r}; known: {known}", node=node, known=", ".join(nodes)))
    if not inside:
        number = read_number(name).e164
        if not number:
            raise Refused(say("{name!r} is no whole phone number; write it with + and the country code", name=name))
        return Place(nodes[0], number, False)
    if not ENDPOINT.fullmatch(name):
        raise Refused(
            say("{name!r} is no phone; write its name in pjsip.conf, like 101, or a number outside with +", name=name)
        )
    return Place(node, name)


def as_typed(words: Iterable[str], nodes: Sequence[str], read_number: Reader) -> tuple[Place, ...]:
    """Each 101, branch/204 or +85512345678; empty ones are none. Raises Refused."""
    return tuple(dict.fromkeys(_typed(word.strip(), nodes, read_number) for word in words if word.strip()))


def written(places: Iterable[Place], nodes: Sequence[str]) -> list[str]:
    """As `as_typed` reads them."""
    return [one.name if one.node == nodes[0] or not one.inside else f"{one.node}/{one.name}" for one in places]


def _typed(word: str, nodes: Sequence[str], read_number: Reader) -> Place:
    node, slash, name = word.rpartition("/")
    outside = not slash and word.startswith("+")
    return place(node.strip(), word if outside else name.strip(), not outside, nodes, read_number)
