"""Pictures of the main pages for the docs, of the trial's company with a call that rings: `./run screenshots`.

They are made anew in docs/pictures; names of pictures as arguments make those alone.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import async_playwright
from sqlalchemy import select

from config.settings import Company, Desk, Settings, Store
from records.database import open_database, reading
from records.migrate import migrate
from records.tables import Customer
from records.trial import fill_trial
from records.trial_company import COMPANY, COUNTRY, CURRENCY, DIDS, STAR_NAME, STAR_NUMBER, TIME_ZONE
from ringcard import compose
from ringcard.redis_server import OwnServer
from tests.fixtures.browser import ARGUMENTS, Office, Person, chromium
from tests.fixtures.desk import ORIGIN, PASSWORD, People, ended, live_call

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LARGEST = 150_000
"""Bytes of one picture: whoever clones the repository fetches all of them."""

PICTURES_ARE_THERE = """() => Promise.all([...document.images]
  .filter((image) => image.getBoundingClientRect().top < innerHeight).map((image) => image.decode().catch(() => {})))"""

NOBODY = People(0, 0, 0, 0, 0, (0, 0), 0)
WIDE, PHONE = (1280, 800), (390, 844)


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    path: str
    size: tuple[int, int] = WIDE
    scheme: Literal["light", "dark"] = "light"
    design: str = ""
    rings: bool = False
    language: str = ""
    login: str = "sreymom"
    from_heading: str = ""  # what stands at the top of the picture; empty: the page's beginning


def shots(star: int) -> tuple[Shot, ...]:
    return (
        Shot("desk", "/", rings=True),
        Shot("desk-dark", "/calls", scheme="dark", rings=True),
        Shot("card", f"/customers/{star}"),
        Shot("customers", "/customers", design="mekong-mist"),
        Shot("preferences", "/me/preferences", from_heading="Design"),
        Shot("phone", "/", PHONE, rings=True),
        Shot("khmer", "/", rings=True, language="km"),
        Shot("arabic", f"/customers/{star}", language="ar"),
        Shot("card-fields", "/card-fields", login="sophea"),
    )


async def take(office: Office, shot: Shot, star: int) -> bytes:
    """The page as PNG."""
    width, height = shot.size
    screen = {"width": width, "height": height}
    person = await office.person(shot.login, viewport=screen, color_scheme=shot.scheme, reduced_motion="reduce")
    await _prefer(person, shot)
    call = live_call(STAR_NUMBER, "101", customers=(star,), called_number=DIDS[0])
    if shot.rings:
        await office.desk.publish(call)
    await person.page.goto(office.address + shot.path)
    await person.is_live()
    if shot.from_heading:
        heading = person.page.get_by_role("heading", name=shot.from_heading, exact=True)
        await heading.evaluate("(heading) => scrollTo(0, heading.offsetTop - 130)")
    await person.page.evaluate(PICTURES_ARE_THERE)
    picture = await person.page.screenshot()
    if shot.rings:
        await office.desk.publish(ended(call))
    await person.context.close()
    office.persons.remove(person)
    return picture


async def _prefer(person: Person, shot: Shot) -> None:
    address, headers = f"{person.address}/api/v1/me/preferences", {"Origin": person.address}
    await person.page.request.patch(address, data={"design": shot.design, "language": shot.language}, headers=headers)


def small(picture: bytes) -> bytes:
    """The same as WebP, as good as fits."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    for quality in (90, 80, 70, 60, 50):
        out = BytesIO()
        image.save(out, "WEBP", quality=quality, method=6)
        if out.tell() < LARGEST:
            return out.getvalue()
    raise AssertionError("the picture is too large at any quality")


def company(folder: Path) -> tuple[Settings, int]:
    """The trial's company, and the id of the customer who calls."""
    settings = Settings(
        company=Company(COMPANY, COUNTRY, TIME_ZONE, CURRENCY),
        store=Store(data_dir=str(folder)),
        desk=Desk(public_url=ORIGIN),
    )
    database = open_database(settings.database_url)
    migrate(database)
    fill_trial(database, folder, compose.reader(settings), password=PASSWORD)
    with reading(database) as session:
        star = session.scalars(select(Customer.id).where(Customer.name == STAR_NAME)).one()
    database.dispose()
    return settings, star


async def main(wanted: list[str]) -> None:
    PICTURES.mkdir(exist_ok=True)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="ringcard-pictures-") as name, OwnServer(Path(name) / "redis") as redis:
        folder = Path(name) / "company"
        folder.mkdir()
        settings, star = company(folder)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *root])
            for shot in shots(star):
                if not wanted or shot.name in wanted:
                    await keep(Office(settings, NOBODY, redis.url, browser), shot, star)
            await browser.close()


async def keep(office: Office, shot: Shot, star: int) -> None:
    """Each has a desk of its own, on which nothing else rings."""
    await office.start()
    try:
        picture = small(await take(office, shot, star))
    finally:
        await office.close()
    (PICTURES / f"{shot.name}.webp").write_bytes(picture)
    print(f"docs/pictures/{shot.name}.webp: {len(picture) // 1000} kB")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
