"""The desk's icons as pictures, made from its mark: what an installed application is known by.

.venv/bin/python -m tests.browser.icons
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from playwright.async_api import Browser, async_playwright

import desk
from tests.fixtures.browser import chromium

STATIC = Path(desk.__file__).parent / "static"
ICONS = STATIC / "icons"

ICON_SIDES: Mapping[str, tuple[int, float, str]] = {
    "icon-192.png": (192, 1.0, "transparent"),
    "icon-512.png": (512, 1.0, "transparent"),
    "mask-512.png": (512, 0.62, "#f6f4f0"),  # a system cuts its edges to a shape of its own
}
"""Side in pixels, share of it that the mark has, and what is behind it."""


async def icon(browser: Browser, side: int, share: float, ground: str) -> bytes:
    """A PNG of the mark."""
    page = await browser.new_page(viewport={"width": side, "height": side})
    mark = (STATIC / "mark.svg").read_text(encoding="utf-8").replace("<svg ", '<svg width="100%" height="100%" ')
    style = f"width:{share:.0%};height:{share:.0%}"
    await page.set_content(
        f'<body style="margin:0;height:100vh;display:grid;place-items:center;background:{ground}">'
        f'<div style="{style}">{mark}</div>'
    )
    picture = await page.screenshot(omit_background=True)
    await page.close()
    return picture


async def main() -> None:
    ICONS.mkdir(exist_ok=True)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=root)
        for name, how in ICON_SIDES.items():
            (ICONS / name).write_bytes(await icon(browser, *how))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
