"""What each person chose of the desk's looks and manners, and the company's own face.

Functions take an open session of `records.database` and leave the commit to it. No card shows any of this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.languages import LANGUAGES
from config.sentences import say
from records.errors import Refused
from records.rows import row
from records.tables import CompanyFace, Preferences, User

MODES = ("", "light", "dark")
POP_UPS = ("", "never", "ringing", "answer")
LOUDEST = 100
LONGEST_NAME = 80
_ONLY_ROW = 1


def all_preferences(session: Session) -> Mapping[int, Preferences]:
    """By user id; who never chose anything is not among them."""
    return {each.user_id: each for each in session.scalars(select(Preferences))}


def preferences_of(session: Session, user_id: int) -> Preferences:
    """This person's, as they are before anything is chosen where nothing was. Raises NotFound."""
    row(session, User, user_id)
    return session.get(Preferences, user_id) or Preferences(
        user_id=user_id, design="", mode="", language="", pop_up="", notify=True, volume=0
    )


def prefer(
    session: Session,
    user_id: int,
    *,
    design: str | None = None,
    mode: str | None = None,
    language: str | None = None,
    pop_up: str | None = None,
    notify: bool | None = None,
    volume: int | None = None,
) -> Preferences:
    """What is given holds from now on. Which designs there are is the desk's to know. Raises Refused, NotFound."""
    if mode is not None and mode not in MODES:
        raise Refused(
            say(
                "{mode!r} is no mode; write {known}, or nothing for as the computer has it",
                mode=mode,
                known=", ".join(MODES[1:]),
            )
        )
    if language and language not in LANGUAGES:
        raise Refused(
            say(
                "the desk does not speak {language!r}; write one of {known}, or nothing",
                language=language,
                known=", ".join(LANGUAGES),
            )
        )
    if pop_up is not None and pop_up not in POP_UPS:
        raise Refused(
            say(
                "{pop_up!r} is no time for a card; write {known}, or nothing for the company's",
                pop_up=pop_up,
                known=", ".join(POP_UPS[1:]),
            )
        )
    if volume is not None and not 0 <= volume <= LOUDEST:
        raise Refused(say("the volume is a number from 0 to {most}", most=LOUDEST))
    held = preferences_of(session, user_id)
    given = {"design": design, "mode": mode, "language": language, "pop_up": pop_up, "notify": notify, "volume": volume}
    for name, value in given.items():
        if value is not None:
            setattr(held, name, value)
    session.add(held)
    session.flush()
    return held


def company_face(session: Session) -> CompanyFace:
    """The company's, empty where nothing was said."""
    return session.get(CompanyFace, _ONLY_ROW) or CompanyFace(id=_ONLY_ROW, name="", accent="", design="", logo="")


def show_company(
    session: Session,
    *,
    name: str | None = None,
    accent: str | None = None,
    design: str | None = None,
    logo: str | None = None,
) -> CompanyFace:
    """What is given holds from now on; an empty text takes it away. Raises Refused."""
    if name is not None and len(name.strip()) > LONGEST_NAME:
        raise Refused(say("the name has more than {most} letters; write a shorter one", most=LONGEST_NAME))
    if accent is not None and not re.fullmatch(r"(#[0-9a-fA-F]{6})?", accent):
        raise Refused(say("{colour!r} is no colour; write it like #0b7a5b, or nothing", colour=accent))
    face = company_face(session)
    given = {
        "name": name.strip() if name is not None else None,
        "accent": accent.lower() if accent is not None else None,
        "design": design,
        "logo": logo,
    }
    for key, value in given.items():
        if value is not None:
            setattr(face, key, value)
    session.add(face)
    session.flush()
    return face
