"""A person's page of preferences, the page with the company's face, and what both give to every page: stylesheets and
the logo.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records
from starlette.datastructures import UploadFile

from config.languages import LANGUAGES
from config.sentences import say
from desk import languages, shapes
from desk.designs import COMPANY, Design, mark_of, preview, previews
from desk.faces import Faces, Preferred
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn, TheReader
from desk.sign_in import local
from desk.views import sight
from records.errors import NotFound, Refused
from records.logos import logo_path, store_logo
from records.preferences import LOUDEST, MODES, POP_UPS, prefer, show_company
from records.tables import CompanyFace, Preferences

public = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/me/preferences", tags=["me"])

KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
Text = Annotated[str, Form(max_length=200)]


class Chosen(BaseModel):
    """What is left out, or null, stays; an empty text: as the company has it, or as the computer."""

    model_config = ConfigDict(extra="forbid", strict=True)
    design: Annotated[str | None, Field(max_length=80)] = None
    mode: Annotated[str | None, Field(max_length=80, json_schema_extra={"enum": [*MODES, None]})] = None
    language: Annotated[str | None, Field(max_length=80, json_schema_extra={"enum": ["", *LANGUAGES, None]})] = None
    pop_up: Annotated[str | None, Field(max_length=80, json_schema_extra={"enum": [*POP_UPS, None]})] = None
    notify: bool | None = None
    volume: Annotated[int | None, Field(json_schema_extra={"minimum": 0, "maximum": LOUDEST})] = None


# --- for everybody, signed in or not: nothing here tells of a customer ---


@public.get("/designs/previews.css")
async def all_previews(desk: Desk, v: str = "") -> Response:
    await desk.faces.refresh()
    return _stylesheet(_previews(desk.faces), v)


@public.get("/designs/{name}.css")
async def stylesheet(desk: Desk, name: str, v: str = "") -> Response:
    await desk.faces.refresh()
    if name not in desk.faces.known():
        raise NotFound(say("There is no such design."))
    return _stylesheet(desk.faces.design(name).stylesheet, v)


@public.get("/company/face.css")
async def face_stylesheet(desk: Desk, v: str = "") -> Response:
    await desk.faces.refresh()
    return _stylesheet(desk.faces.look().brand, v)


@public.get("/company/logos/{name}.png")
async def logo(desk: Desk, name: str) -> Response:
    return FileResponse(logo_path(desk.parts.settings.data_dir, name), media_type="image/png", headers=KEPT)


@public.get("/words/{code}.js")
async def words(code: str, v: str = "") -> Response:
    """What our own scripts say, in one language."""
    if code not in LANGUAGES:
        raise NotFound(say("There is no such language."))
    spoken = languages.language(code)
    headers = KEPT if v and spoken.scripts_href.endswith(f"?v={v}") else {"Cache-Control": "no-cache"}
    return Response(spoken.for_scripts, media_type="text/javascript", headers=headers)


@public.post("/language")
async def speak(request: Request, language: Text = "", next: Annotated[str, Form(max_length=2000)] = "/") -> Response:
    """Have this browser remember a language, for the pages before somebody signs in."""
    if language not in LANGUAGES:
        raise NotFound(say("There is no such language."))
    response = RedirectResponse(local(next), 303)
    languages.keep(request, response, language)
    return response


# --- one's own preferences ---


@pages.get("/me/preferences")
async def preferences(request: Request, desk: Desk, session: SignedIn, saved: str = "") -> Response:
    return await _preferences(request, desk, session, saved=bool(saved))


@pages.post("/me/preferences")
async def save(
    request: Request,
    desk: Desk,
    session: SignedIn,
    design: Text = "",
    mode: Text = "",
    language: Text = "",
    pop_up: Text = "",
    notify: Text = "",
    volume: Annotated[int, Form()] = 0,
) -> Response:
    chosen: dict[str, Any] = {"design": design, "mode": mode, "language": language, "pop_up": pop_up}
    chosen |= {"notify": notify == "yes", "volume": volume}
    try:
        await _prefer(desk, session.reader.user_id, chosen)
    except Refused as refused:
        return await _preferences(request, desk, session, 422, said=str(refused))
    response = RedirectResponse("/me/preferences?saved=yes", 303)
    if language:
        languages.keep(request, response, language)
    else:
        languages.forget(response)
    return response


@api.get("", response_model=shapes.OwnPreferences)
async def preferences_json(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """What you chose, and the designs there are. An empty text: as the company has it, or as the computer."""
    await desk.faces.refresh()
    return _told(desk.faces, desk.faces.preferred(reader.user_id))


@api.patch("", response_model=shapes.OwnPreferences)
async def prefer_json(desk: Desk, reader: TheReader, chosen: Chosen) -> dict[str, Any]:
    """Change what you name. It holds from the next page on."""
    await _prefer(desk, reader.user_id, chosen.model_dump())
    await desk.faces.refresh()
    return _told(desk.faces, desk.faces.preferred(reader.user_id))


async def _prefer(desk: Services, user_id: int, chosen: Mapping[str, Any]) -> None:
    """Raises Refused."""
    await desk.faces.refresh()
    _known(desk.faces, chosen["design"])

    def change(records: Records) -> Preferences:
        return prefer(records, user_id, **chosen)

    await desk.store.write(change)
    desk.faces.forget()


def _known(faces: Faces, design: str | None) -> None:
    if design and design not in faces.known():
        raise Refused(say("there is no design {design!r} here; choose one that the page shows", design=design))


def _told(faces: Faces, preferred: Preferred) -> dict[str, Any]:
    told = asdict(preferred) | {"pop_up": preferred.chosen_pop_up, "designs": list(faces.known())}
    del told["chosen_pop_up"]
    return told


async def _preferences(
    request: Request, desk: Services, session: Session, status: int = 200, said: str = "", saved: bool = False
) -> Response:
    await desk.faces.refresh()
    return await desk.pages.page(
        request,
        session,
        "preferences.html",
        status,
        said=said,
        saved=saved,
        families=[(family, tuple(some)) for family, some in _families(desk.faces)],
        previews=_previews_href(desk.faces),
        usual=desk.faces.design(desk.faces.usual),
        usual_pop_up=desk.parts.settings.desk.pop_up,
    )


# --- the company's face ---


async def may_give(session: SignedIn) -> Session:
    if not sight(session.reader.role).face:
        raise HTTPException(403, say("The company's name, logo and colour are for administrators."))
    return session


Administrator = Annotated[Session, Depends(may_give)]


@pages.get("/company")
async def company(request: Request, desk: Desk, session: Administrator, saved: str = "") -> Response:
    return await _company(request, desk, session, saved=bool(saved))


@pages.post("/company")
async def save_company(request: Request, desk: Desk, session: Administrator) -> Response:
    async with request.form(max_files=1, max_fields=10) as form:
        typed = {name: value for name, value in form.items() if isinstance(value, str)}
        sent = form.get("logo")
        picture = await sent.read() if isinstance(sent, UploadFile) and sent.filename else b""
    given = {
        "name": typed.get("name", ""),
        "accent": typed.get("accent", "").strip() if typed.get("coloured") else "",
        "design": typed.get("design", ""),
    }
    try:
        if picture:
            given["logo"] = await asyncio.to_thread(store_logo, desk.parts.settings.data_dir, picture)
        elif typed.get("no_logo"):
            given["logo"] = ""
        await give_face(desk, given)
    except Refused as refused:
        return await _company(request, desk, session, 422, said=str(refused), typed=given)
    return RedirectResponse("/company?saved=yes", 303)


async def give_face(desk: Services, given: dict[str, str]) -> None:
    """What is given of `records.preferences.show_company` holds from now on. Raises Refused."""
    await desk.faces.refresh()
    accent = given.get("accent", desk.faces.face.accent)
    if given.get("design") != COMPANY or not accent:
        _known(desk.faces, given.get("design"))

    def change(records: Records) -> CompanyFace:
        return show_company(records, **given)

    await desk.store.write(change)
    desk.faces.forget()


async def _company(
    request: Request,
    desk: Services,
    session: Session,
    status: int = 200,
    said: str = "",
    saved: bool = False,
    typed: dict[str, str] | None = None,
) -> Response:
    await desk.faces.refresh()
    held = asdict(desk.faces.face) | (typed or {})
    return await desk.pages.page(
        request,
        session,
        "company.html",
        status,
        said=said,
        saved=saved,
        held=held,
        families=[(family, tuple(some)) for family, some in _families(desk.faces)],
        settings_name=desk.parts.settings.company.name,
    )


def _families(faces: Faces) -> Iterator[tuple[str, Iterator[Design]]]:
    shown = [design for design in faces.known().values() if design.name != COMPANY]
    own = [design for design in faces.known().values() if design.name == COMPANY]
    return groupby((*own, *shown), key=lambda design: design.family)


def _previews(faces: Faces) -> str:
    own = faces.known().get(COMPANY)
    return previews() + (preview(own) if own else "")


def _previews_href(faces: Faces) -> str:
    return f"/designs/previews.css?v={mark_of(_previews(faces))}"


def _stylesheet(css: str, mark: str) -> Response:
    """Kept by browsers only under the mark of this very content: another process may not have heard of a change yet."""
    headers = KEPT if mark == mark_of(css) else {"Cache-Control": "no-cache"}
    return Response(css, media_type="text/css", headers=headers)
