"""Teams: whose phones ring together, and whose calls a supervisor sees."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.sentences import counted, say
from records.errors import Conflict, Refused
from records.rows import row
from records.tables import RoutingRule, Team, User

LONGEST_NAME = 100


def list_teams(session: Session) -> Sequence[tuple[Team, int]]:
    """By name, with how many people are in each, active or not."""
    members = select(User.team_id, func.count().label("members")).group_by(User.team_id).subquery()
    wanted = select(Team, func.coalesce(members.c.members, 0)).outerjoin(members, members.c.team_id == Team.id)
    return [(team, count) for team, count in session.execute(wanted.order_by(Team.name, Team.id))]


def add_team(session: Session, name: str) -> Team:
    """Raises Refused, Conflict."""
    team = Team(name=_free(session, name))
    session.add(team)
    session.flush()
    return team


def rename_team(session: Session, team_id: int, name: str) -> Team:
    """Raises NotFound, Refused, Conflict."""
    team = row(session, Team, team_id)
    team.name = _free(session, name, team_id)
    session.flush()
    return team


def remove_team(session: Session, team_id: int) -> None:
    """With its working hours. Raises NotFound, Refused: somebody is in it, or a rule sends calls to it."""
    team = row(session, Team, team_id)
    names = session.scalars(select(User.name).where(User.team_id == team_id).order_by(User.name)).all()
    if names:
        some = ", ".join(names[:5])
        raise Refused(
            say("{names} and others are still in {team}", names=some, team=team.name)
            if names[5:]
            else counted(
                "{names} is still in {team}", "{names} are still in {team}", len(names), names=some, team=team.name
            )
        )
    rules = session.scalars(select(RoutingRule.name).where(RoutingRule.team_id == team_id)).all()
    if rules:
        raise Refused(say("the rule {rule} sends calls to {team}; change it first", rule=rules[0], team=team.name))
    session.delete(team)
    session.flush()


def _free(session: Session, name: str, but: int = 0) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise Refused(say("a team needs a name of at most {most} characters", most=LONGEST_NAME))
    if session.scalar(select(Team.id).where(Team.name == name, Team.id != but)) is not None:
        raise Conflict(say("there is a team {name} already", name=name))
    return name
