"""What a browser needs to install the desk as an application of its own: a manifest, a service worker, and the page for
when there is no connection.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from config.sentences import say
from desk import languages
from desk.colours import hex_of
from desk.designs import STATIC
from desk.faces import Look
from desk.languages import Language
from desk.pages import static_url
from desk.services import Desk

router = APIRouter(include_in_schema=False)

KEPT_A_DAY = {"Cache-Control": "public, max-age=86400"}
ICONS = (
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("mask-512.png", "512x512", "maskable"),
)


@router.get("/manifest.webmanifest")
async def manifest(request: Request, desk: Desk) -> Response:
    """What a browser asks for that installs the desk as an application."""
    await desk.faces.refresh()
    look = desk.faces.look()
    return JSONResponse(
        manifest_of(look, desk.pages.spoken_to(request)),
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/offline")
async def offline(desk: Desk, language: str = "") -> HTMLResponse:
    """What the service worker keeps for when there is no connection. It tells of nobody."""
    return HTMLResponse(desk.pages.piece(languages.language(language), "offline.html"))


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Browsers ask for it at addresses that are no pages and name no other."""
    return FileResponse(STATIC / "icons" / "icon-192.png", media_type="image/png", headers=KEPT_A_DAY)


@router.get("/sw.js")
async def service_worker() -> Response:
    """From the top, because a service worker has only what lies below its own address."""
    return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def manifest_of(look: Look, spoken: Language) -> dict[str, Any]:
    return {
        "id": "/",
        "name": f"{look.company} · Ringcard",
        "short_name": look.face.name[:12] or "Ringcard",
        "description": spoken.put(say("Who is calling, on the screen while the phone rings")),
        "lang": spoken.code,
        "dir": spoken.direction,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": hex_of(look.design.light.canvas),
        "theme_color": look.face.accent or hex_of(look.design.light.accent),
        "icons": [
            {"src": static_url(f"icons/{file}"), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for file, sizes, purpose in ICONS
        ],
    }
