"""The name for telephones that cannot show it as it is: in ASCII, or shorter.

Each telephone of a call gets its own: the dialplan sets it on the phone's own channel (`[ringcard-phone]`), from what
is told here once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from anyascii import anyascii

from config.display import Screen
from lookup.channel_values import INHERITED, SCREEN, SCREENS
from lookup.naming import LIMIT, clean

ROOM = 2000
"""Characters for the list of telephones."""


def fitted(name: str, screen: Screen) -> str:
    """The name as this screen can show it; empty when that has no letters for it."""
    if screen.ascii and not name.isascii():
        plain = anyascii(name)
        name = plain if any(char.isupper() for char in plain) else plain.title()
    return clean(name, min(screen.length or LIMIT, LIMIT))


def on_screens(name: str, phones: Mapping[str, Screen], models: Mapping[str, Screen]) -> dict[str, str]:
    """What to set on the caller's channel so that each of these telephones gets the name that it can show.

    `phones` by their endpoint, `models` by how their User-Agent begins, with a * behind. Nothing when all can show it.
    """
    texts: dict[str, int] = {}
    places: list[str] = []
    whose = {**phones, **{f"*{model.rstrip('*')}": screen for model, screen in models.items()}}
    for who, screen in whose.items():
        text = fitted(name, screen)
        if text and text != name:
            places.append(f"{who}={texts.setdefault(text, len(texts) + 1)}")
    while sum(map(len, places)) + len(places) > ROOM:
        places.pop()
    if not places:
        return {}
    told = {f"{INHERITED}{SCREEN}{number}": text.replace("|", "/") for text, number in texts.items()}
    return {f"{INHERITED}{SCREENS}": "&".join(places), **told}
