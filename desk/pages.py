"""Templates: how a page is made, with what every page needs, and the pieces that live notices put in place.

Everything that a template shows is escaped by Jinja; no template marks text as safe, only the sentences of our own
catalogues may have tags in them. Each language has templates of its own, made at their first use.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import HTTPConnection

from config.languages import LANGUAGES
from config.settings import Settings
from desk import formats, languages
from desk.announce import Audience
from desk.faces import Look
from desk.languages import Language, asked_for, language
from desk.layouts import Layouts
from desk.parts import DeskParts
from desk.people import ROLE_NAMES, Reader
from desk.problems import TITLES
from desk.reading import read
from desk.services import services_of
from desk.sessions import Session
from desk.tab_names import TabNames
from desk.views import CallView, TeamCallView, sight
from lookup.notices import is_simulated

HERE = Path(__file__).parent
STATIC = HERE / "static"


class Pages:
    """Renders templates. One per application."""

    def __init__(self, parts: DeskParts, layouts: Layouts) -> None:
        self.tabs = TabNames(parts.secret)
        self._layouts = layouts
        self._clock = parts.clock
        self._settings: Settings = parts.settings
        self._zone = ZoneInfo(parts.settings.company.time_zone)
        self._environments: dict[Language, Environment] = {}

    def _templates(self, spoken: Language) -> Environment:
        if found := self._environments.get(spoken):
            return found
        made = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=spoken.put,
            extensions=["jinja2.ext.i18n"],
        )
        made.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension
        made.policies["ext.i18n.trimmed"] = True
        made.globals |= _sentences(spoken)
        made.globals |= {"spoken": spoken, "languages": LANGUAGES, "mask": formats.MASK, "simulated": is_simulated}
        made.globals |= {"company": self._settings.company.name, "static": static_url, "sight": sight}
        made.globals["role_name"] = lambda role: ROLE_NAMES.get(role, role)
        made.globals["label"] = lambda name: self._layouts.now.label(name)
        made.filters |= {
            "amount": formats.amount,
            "number": formats.number,
            "masked_number": formats.masked_number,
            "country": formats.country,
            "lasting": formats.lasting,
            "initials": formats.initials,
            "hue": formats.hue,
            "clock": lambda when: formats.clock(_moment(when), self._zone),
            "exactly": lambda when: formats.exactly(_moment(when), self._zone),
            "after": formats.after,
            "day": lambda when: formats.day(_moment(when), self._zone, self._today()),
            "whole_day": formats.whole_day,
            "iso": lambda when: formats.rfc3339(_moment(when)),
            "ms": lambda when: int(_moment(when).timestamp() * 1000),
            "figure": formats.figure,
            "put": spoken.put,
            "territory": lambda code: spoken.locale.territories.get(code, code),
            "sentence": spoken.sentence,
            "read": read,
        }
        self._environments[spoken] = made
        return made

    def spoken_to(self, connection: HTTPConnection, reader: Reader | None = None) -> Language:
        """The language for this reader, or for whoever has not signed in."""
        chosen = services_of(connection).faces.preferred(reader.user_id).language if reader else ""
        return language(chosen or asked_for(connection, self._settings.company.language))

    async def page(
        self, request: Request, session: Session, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page for somebody who is signed in, with the live calls of this moment and the id they belong to."""
        desk = services_of(request)
        await desk.faces.refresh()
        last_id, calls = desk.hub.calls()
        live = await Audience(desk, session.reader).show_all(calls) if desk.hub.up else []
        frame = {
            "reader": session.reader,
            "sees": self._layouts.now.names_seen_by(session.reader.role),
            "masked": self._layouts.now.masked_from(session.reader.role),
            "session_tag": session.tag,
            "path": request.url.path,
            "tab": self.tabs.of(session.reader.user_id, request.url.path, request.url.query),
            "undisturbed": session.reader.user_id in (await desk.people.directory()).undisturbed,
            "cards": [item.card for item in live if item.card and item.card.state in ("ringing", "talking")],
            "team": [item.team for item in live if item.team],
            "live_up": desk.hub.up,
            "after": last_id if desk.hub.up else "",
            "now": self._clock(),
            "prefers": desk.faces.preferred(session.reader.user_id),
            **_looks(desk.faces.look(session.reader.user_id)),
        }
        made = self._templates(self.spoken_to(request, session.reader)).get_template(template)
        response = HTMLResponse(made.render(frame | values), status)
        languages.keep(request, response, desk.faces.preferred(session.reader.user_id).language)
        return response

    def plain(
        self,
        request: Request,
        template: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """A page for anybody."""
        frame = {"path": request.url.path, "now": self._clock(), "said": "", "login": ""}
        frame |= _looks(services_of(request).faces.look())
        made = self._templates(self.spoken_to(request)).get_template(template)
        return HTMLResponse(made.render(frame | values), status, headers)

    def part(self, request: Request, session: Session, template: str, **values: Any) -> HTMLResponse:
        """A part of a page that our own script asked for."""
        return HTMLResponse(self.piece(self.spoken_to(request, session.reader), template, **values))

    def piece(self, spoken: Language, template: str, **values: Any) -> str:
        """The same, where it is sent unasked."""
        return self._templates(spoken).get_template(template).render(now=self._clock(), **values)

    def pieces(
        self, spoken: Language, reader: Reader, card: CallView | None, team: TeamCallView | None
    ) -> dict[str, str | None]:
        """A live call as our own pages put it in place."""
        return {
            "html": self.piece(spoken, "live_card.html", call=card, reader=reader) if card else None,
            "team_html": self.piece(spoken, "live_team.html", call=team, reader=reader) if team else None,
        }

    def error(self, request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> HTMLResponse:
        return self.plain(
            request, "error.html", status, headers, title=TITLES.get(status) or HTTPStatus(status).phrase, detail=detail
        )

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()


def _sentences(spoken: Language) -> dict[str, Any]:
    """What `{% trans %}` and `_()` of a template call: a sentence of the catalogue, what is put into it escaped."""

    def gettext(text: str, /, **values: Any) -> Markup:
        return Markup(spoken.gettext(text)) % _put(spoken, values)

    def ngettext(one: str, many: str, n: int, /, **values: Any) -> Markup:
        return Markup(spoken.ngettext(one, many, n)) % _put(spoken, values | {"num": n})

    return {"gettext": gettext, "_": gettext, "ngettext": ngettext}


def _put(spoken: Language, values: dict[str, Any]) -> dict[str, Any]:
    return {name: spoken.put(value) for name, value in values.items()}


def _looks(look: Look) -> dict[str, Any]:
    return {"look": look, "company": look.company}


@cache
def static_url(path: str) -> str:
    """Address of a file in static/, with a part that changes with its content, so that it may be kept for long."""
    try:
        mark = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10]
    except OSError:
        return f"/static/{path}"
    return f"/static/{path}?v={mark}"


def _moment(when: datetime | str | int) -> datetime:
    """From a time of the records, of a card (RFC 3339) or of a notice (milliseconds)."""
    if isinstance(when, str):
        return datetime.fromisoformat(when)
    return formats.moment(when) if isinstance(when, int) else when
