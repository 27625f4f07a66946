"""Importing customers on the desk: a file is sent, its columns are said, what would happen is shown, and then it does.

For those whose role may import (`views.sight`), here and in the API alike. The work itself is done by a program of its
own (`parts.imports`), so that neither the desk nor a call waits for it; how far it is stands in the records, so that it
survives a reload and a restart.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from config.sentences import say
from desk import shapes
from desk.bounds import Id
from desk.formats import rfc3339
from desk.guard import LARGEST_FILE
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from records.errors import Refused
from records.intake import imports, stage, undo
from records.intake.files import open_table
from records.intake.headers import NOT_USED, Own, meaning, meanings, no_targets, required, target_of, targets
from records.intake.mappings import forget_mapping, keep_mapping, kept_mapping, kept_mappings
from records.tables import Import

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["imports"])

SHOWN_ROWS = 5
SHOWN_ERRORS = 100
SHOWN_CHARACTERS = 60


async def may_import(session: SignedIn) -> Session:
    if not sight(session.reader.role).imports:
        raise HTTPException(403, say("Importing customers is for supervisors and administrators."))
    return session


Importer = Annotated[Session, Depends(may_import)]


@pages.get("/import")
async def list_page(request: Request, desk: Desk, session: Importer) -> Response:
    rows = await desk.store.read(imports.imports)
    mappings = await desk.store.read(kept_mappings)
    return await desk.pages.page(
        request,
        session,
        "imports.html",
        imports=[view(desk, row) for row in rows],
        mappings=mappings,
        targets=targets(own_of(desk, session)),
        most=LARGEST_FILE // 1_000_000,
    )


@pages.post("/import")
async def send_file(request: Request, desk: Desk, session: Importer) -> Response:
    return RedirectResponse(f"/import/{await take_file(request, desk, session)}", 303)


async def take_file(request: Request, desk: Services, session: Session) -> int:
    """The id of a new import. The file is read off the line only now that it is known who sends it. Raises Refused."""
    async with request.form(max_files=1, max_fields=1) as form:
        sent = form.get("file")
        if not isinstance(sent, UploadFile) or not sent.filename:
            raise Refused(say("Choose a file first."))
        if set(form) != {"file"}:
            raise Refused(say("Send the file alone; what its columns are is said afterwards."))
        name = stage.new_name()
        await asyncio.to_thread(_keep, sent.file, stage.file_path(desk.parts.settings.data_dir, name))
        shown = _plain_name(sent.filename)
    return await desk.store.write(lambda records: imports.give(records, shown, session.reader.user_id, name).id)


@pages.get("/import/{import_id}")
async def one_page(request: Request, desk: Desk, session: Importer, import_id: Id) -> Response:
    row = await one_row(desk, import_id)
    shown = view(desk, row)
    file: dict[str, Any] = {"headers": []}
    own = own_of(desk, session)
    if shown["state"] in ("given", "failed"):
        file = await asyncio.to_thread(looked_at, desk, row, own)
    left = await asyncio.to_thread(undo.kept, desk.parts.database, import_id, SHOWN_ERRORS) if row.kept else []
    return await desk.pages.page(
        request,
        session,
        "import.html",
        one=shown,
        errors=imports.errors_of(row)[:SHOWN_ERRORS],
        file=file,
        left=left,
        targets=targets(own),
        not_used=NOT_USED,
    )


@pages.post("/import/{import_id}/check")
async def check(request: Request, desk: Desk, session: Importer, import_id: Id) -> Response:
    """With what the columns are: fields `0`, `1` ... in the order of the headers."""
    async with request.form(max_files=0, max_fields=2000) as form:
        said = {key: value for key, value in form.items() if isinstance(value, str)}
    await begin_check(desk, session, import_id, said)
    return _to(import_id)


@pages.post("/import/{import_id}/columns")
async def columns_again(desk: Desk, session: Importer, import_id: Id) -> Response:
    """Back to saying what the columns are."""
    row = await one_row(desk, import_id)
    if row.state not in ("given", "checked", "failed"):
        raise Refused(
            say("The import is {state}; its columns cannot be changed any more.", state=imports.STATES[row.state])
        )

    def put(records: Any) -> None:
        records.get_one(Import, import_id).state = "given"

    await desk.store.write(put)
    return _to(import_id)


@pages.post("/import/{import_id}/go-on")
async def go_on(desk: Desk, session: Importer, import_id: Id) -> Response:
    await begin_to_go_on(desk, import_id)
    return _to(import_id)


@pages.post("/import/{import_id}/undo")
async def take_back(desk: Desk, session: Importer, import_id: Id) -> Response:
    await begin_undo(desk, import_id)
    return _to(import_id)


async def begin_check(desk: Services, session: Session, import_id: int, said: Mapping[str, str]) -> None:
    """`said`: what columns are, by their place; of others it is as their names say. Raises Refused, NotFound."""
    row = await one_row(desk, import_id)
    if row.state not in ("given", "checked", "failed"):
        raise Refused(say("The import is {state}; it cannot be checked any more.", state=imports.STATES[row.state]))
    headers, own = await asyncio.to_thread(_headers, desk, row), own_of(desk, session)
    known = {header: target_of(meaning(header, own)) for header in headers}
    mapping = {header: said.get(str(number), known[header]) for number, header in _first(headers)}
    found = meanings(headers, mapping, own)
    if mapping:
        required(headers, found, row.file)

    def put(records: Any) -> None:
        kept = records.get_one(Import, import_id)
        kept.mapping, kept.state, kept.said = orjson.dumps(mapping).decode(), "checking", ""
        if any(target != known[header] for header, target in mapping.items()) or kept_mapping(records, headers):
            keep_mapping(records, headers, mapping)

    await desk.store.write(put)
    await _begin(desk, "check", import_id)


async def begin_to_go_on(desk: Services, import_id: int) -> None:
    """Raises Refused, NotFound."""
    row = await one_row(desk, import_id)
    steps = {"checked": "go_on", "importing": "go_on", "undoing": "undo", "checking": "check"}
    if row.state not in steps or (row.state != "checked" and not view(desk, row)["interrupted"]):
        raise Refused(say("The import is {state}; there is nothing to go on with.", state=imports.STATES[row.state]))
    if row.state == "checked":
        await desk.store.write(lambda records: imports.begin(records, import_id, "importing"))
    await _begin(desk, steps[row.state], import_id)


async def begin_undo(desk: Services, import_id: int) -> None:
    """Raises Refused, NotFound."""
    row = await one_row(desk, import_id)
    if row.state != "done" and not view(desk, row)["interrupted"]:
        raise Refused(say("The import is {state}; there is nothing to undo.", state=imports.STATES[row.state]))
    await desk.store.write(lambda records: imports.begin(records, import_id, "undoing"))
    await _begin(desk, "undo", import_id)


@pages.post("/import/{import_id}/discard")
async def discard(desk: Desk, session: Importer, import_id: Id) -> Response:
    await asyncio.to_thread(imports.discard, desk.parts.database, desk.parts.settings.data_dir, import_id)
    return RedirectResponse("/import", 303)


@pages.post("/import/mappings/{mapping_id}/forget")
async def forget(desk: Desk, session: Importer, mapping_id: Id) -> Response:
    await desk.store.write(lambda records: forget_mapping(records, mapping_id))
    return RedirectResponse("/import", 303)


@api.get("/imports", response_model=shapes.Imports)
async def list_json(desk: Desk, session: Importer) -> dict[str, Any]:
    """The last hundred imports, the newest first."""
    return {"items": [view(desk, row) for row in await desk.store.read(imports.imports)]}


@api.get("/imports/{import_id:id}", response_model=shapes.WholeImport)
async def one_json(request: Request, desk: Desk, session: Importer, import_id: Id) -> dict[str, Any]:
    """One import, how far it is, and the first rows that could not be taken."""
    row = await one_row(desk, import_id)
    errors = [{"row": e.row, "column": e.header, "message": e.message} for e in imports.errors_of(row)[:SHOWN_ERRORS]]
    shown = view(desk, row)
    said = desk.pages.spoken_to(request, session.reader).put(shown["said"])  # our own page shows it while it goes on
    return {**shown, "said": said, "errors": errors}


def view(desk: Services, row: Import) -> dict[str, Any]:
    """An import as the page and the API show it."""
    at_work = desk.parts.imports.running(row.id)
    return {
        "import_id": row.id,
        "file": row.file,
        "kind": row.kind,
        "by": row.by.name if row.by else None,
        "state": row.state,
        "interrupted": not at_work and imports.is_interrupted(desk.parts.settings.data_dir, row),
        "said": imports.said_of(row),
        "rows": row.rows,
        "done": row.done,
        "added": row.added,
        "changed": row.changed,
        "unchanged": row.unchanged,
        "refused": row.refused,
        "kept": row.kept,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
    }


async def one_row(desk: Services, import_id: int) -> Import:
    """Raises NotFound."""
    return await asyncio.to_thread(imports.one_import, desk.parts.database, import_id)


async def _begin(desk: Services, step: str, import_id: int) -> None:
    await asyncio.to_thread(desk.parts.imports.start, step, import_id)


def _to(import_id: int) -> Response:
    return RedirectResponse(f"/import/{import_id}", 303)


def _keep(sent: BinaryIO, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        with path.open("xb") as file:
            path.chmod(0o640)
            shutil.copyfileobj(sent, file, 1 << 20)
    except OSError as exc:
        path.unlink(missing_ok=True)
        raise Refused(say("The file cannot be kept here: {why}.", why=exc.strerror)) from exc


def _plain_name(name: str) -> str:
    """What a browser calls the file, without folders and without what cannot be seen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:120] or "file"


def own_of(desk: Services, session: Session) -> Own:
    """What somebody may fill, they may change."""
    return {one.name: one.field for one in desk.layout.kept_changed_by(session.reader.role)}


def _headers(desk: Services, row: Import) -> tuple[str, ...]:
    table = open_table(stage.file_path(desk.parts.settings.data_dir, row.stage), {}, row.sheet)
    return () if table.kind == "vCard" else table.headers


def _first(headers: tuple[str, ...]) -> list[tuple[int, str]]:
    """Each header once, with its place."""
    return [(number, header) for number, header in enumerate(headers) if header and header not in headers[:number]]


def looked_at(desk: Services, row: Import, own: Own) -> dict[str, Any]:
    """What the file is: its columns with what they are taken for, and its first rows."""
    path = stage.file_path(desk.parts.settings.data_dir, row.stage)
    try:
        table = open_table(path, {}, row.sheet, own)
        said = orjson.loads(row.mapping) or desk.store.read_now(lambda records: kept_mapping(records, table.headers))
        gone = no_targets(said, own)
        table = open_table(path, {**said, **dict.fromkeys(gone, NOT_USED)}, row.sheet, own)
        rows = table.sample(SHOWN_ROWS)
    except Refused as exc:
        return {"headers": [], "rows": [], "problem": imports.as_sent(exc, path, row.file), "kind": "", "gone": {}}
    numbers = [number for number, _ in _first(table.headers)]
    return {
        "kind": table.kind,
        "headers": [(n, table.headers[n], target_of(table.meanings[n])) for n in numbers],
        "rows": [[_short(cells[n]) if n < len(cells) else "" for n in numbers] for cells in rows],
        "problem": "",
        "gone": gone,  # header -> what it was said to be, and cannot be any more
    }


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
