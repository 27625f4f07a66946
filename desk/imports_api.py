"""/api/v1/imports: what the pages of an import do: a file is sent, looked at, checked, taken in, and undone."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from config.sentences import say
from desk import shapes
from desk.bounds import Id
from desk.imports import Importer, begin_check, begin_to_go_on, begin_undo, looked_at, one_row, own_of, take_file, view
from desk.services import Desk, Services
from records.errors import Refused
from records.intake import imports
from records.intake.headers import targets
from records.intake.mappings import forget_mapping, kept_mappings

router = APIRouter(prefix="/api/v1", tags=["imports"])

_FILE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}
SENT = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FILE}}}}


class Said(BaseModel):
    """What columns are, where their names do not say it: by their place, from 0."""

    model_config = ConfigDict(extra="forbid", strict=True)
    columns: Annotated[dict[str, Annotated[str, Field(max_length=200)]], Field(max_length=2000)] = {}


@router.post("/imports", status_code=201, response_model=shapes.Import, openapi_extra=SENT)
async def send(request: Request, desk: Desk, session: Importer) -> JSONResponse:
    """Send a file: CSV, XLSX or vCard, as `file` of a form. Nothing is taken in yet."""
    return await _told(desk, await take_file(request, desk, session), 201)


@router.get("/imports/mappings", response_model=list[shapes.Mapping])
async def mappings(desk: Desk, session: Importer) -> list[dict[str, Any]]:
    """What was said of columns before, and is proposed for files that have the same."""
    found = await desk.store.read(kept_mappings)
    return [{"mapping_id": mapping_id, "columns": columns} for mapping_id, columns in found]


@router.delete("/imports/mappings/{mapping_id}", status_code=204)
async def forget(desk: Desk, session: Importer, mapping_id: Id) -> Response:
    """Propose this no more."""
    await desk.store.write(lambda records: forget_mapping(records, mapping_id))
    return Response(status_code=204)


@router.get("/imports/{import_id}/columns", response_model=shapes.Columns)
async def columns(desk: Desk, session: Importer, import_id: Id) -> dict[str, Any]:
    """The columns of a file that was sent, what each is taken for, and its first rows."""
    row, own = await one_row(desk, import_id), own_of(desk, session)
    if row.state not in ("given", "failed", "checked"):
        raise Refused(
            say("The import is {state}; its file is not looked at any more.", state=imports.STATES[row.state])
        )
    file = await asyncio.to_thread(looked_at, desk, row, own)
    return {
        "kind": file["kind"],
        "problem": file["problem"],
        "columns": [
            {"place": place, "header": header, "taken_for": target} for place, header, target in file["headers"]
        ],
        "rows": file["rows"],
        "targets": [{"value": value, "label": label} for value, label in targets(own).items()],
    }


@router.post("/imports/{import_id}/check", status_code=202, response_model=shapes.Import)
async def check(desk: Desk, session: Importer, import_id: Id, said: Said) -> JSONResponse:
    """Find out what the import would do. It takes a while: `state` is `checking`, then `checked` or `failed`."""
    await begin_check(desk, session, import_id, said.columns)
    return await _told(desk, import_id, 202)


@router.post("/imports/{import_id}/go-on", status_code=202, response_model=shapes.Import)
async def go_on(desk: Desk, session: Importer, import_id: Id) -> JSONResponse:
    """Take in what was checked, or go on with what was interrupted. `done` says how far it is."""
    await begin_to_go_on(desk, import_id)
    return await _told(desk, import_id, 202)


@router.post("/imports/{import_id}/undo", status_code=202, response_model=shapes.Import)
async def undo(desk: Desk, session: Importer, import_id: Id) -> JSONResponse:
    """Take an import back. Customers whom somebody has changed since stay as they are; `kept` counts them."""
    await begin_undo(desk, import_id)
    return await _told(desk, import_id, 202)


@router.delete("/imports/{import_id:id}", status_code=204)
async def discard(desk: Desk, session: Importer, import_id: Id) -> Response:
    """Throw a file away that was sent and is not to be taken in."""
    await asyncio.to_thread(imports.discard, desk.parts.database, desk.parts.settings.data_dir, import_id)
    return Response(status_code=204)


async def _told(desk: Services, import_id: int, status: int) -> JSONResponse:
    return JSONResponse(view(desk, await one_row(desk, import_id)), status)
