"""Lists of customers that a person has saved, to come back to: a name, and the filters as an address says them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import NotFound, Refused
from records.tables import SavedView

LONGEST_NAME = 60
LONGEST_ADDRESS = 1000
MOST = 30


def views_of(session: Session, user_id: int) -> Sequence[SavedView]:
    """By name."""
    mine = select(SavedView).where(SavedView.user_id == user_id)
    return session.scalars(mine.order_by(func.lower(SavedView.name), SavedView.id)).all()


def save_view(session: Session, user_id: int, name: str, address: str) -> SavedView:
    """Under a name that the person has already, it takes the place of that one. Raises Refused."""
    name = " ".join(name.split())
    if not name:
        raise Refused(say("a saved list needs a name: what will you look for it by?"))
    if len(name) > LONGEST_NAME or len(address) > LONGEST_ADDRESS:
        raise Refused(say("that is too long; a name has up to {most} letters", most=LONGEST_NAME))
    mine = views_of(session, user_id)
    view = next((one for one in mine if one.name == name), None)
    if view is None:
        if len(mine) >= MOST:
            raise Refused(say("you have {most} saved lists; take one away first", most=MOST))
        view = SavedView(user_id=user_id, name=name)
        session.add(view)
    view.address = address
    session.flush()
    return view


def remove_view(session: Session, user_id: int, view_id: int) -> None:
    """Raises NotFound, also for somebody else's."""
    view = session.get(SavedView, view_id)
    if view is None or view.user_id != user_id:
        raise NotFound(say("there is no such saved list; it may have been taken away before"))
    session.delete(view)
    session.flush()
