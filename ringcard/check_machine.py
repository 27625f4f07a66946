"""Doctor's look at this machine: the settings, the folder for our files, the disk, the clock."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from config.settings import DEFAULT_PATH, Company, Settings
from ringcard.findings import Finding, fail, ok, warn

DISK_FULL_MB = 50  # below this the database's next write may fail
DISK_LOW_MB = 1000
BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right tells an earlier time: the program did not exist."""


NO_SETTINGS = f"there is no {DEFAULT_PATH} here"
NAME_THEM = "Start ringcard where yours is, or name it: --config FILE; the first is a copy of config/ringcard.toml."


def machine(settings: Settings, named: bool) -> list[Finding]:
    """Everything here is asked of this machine alone and answered at once. `named`: somebody said whose this is."""
    return [
        _settings(settings) if named else fail("settings", NO_SETTINGS, NAME_THEM),
        _numbers(settings),
        _data_dir(settings.data_dir),
        *_disk(settings.data_dir),
        _clock(settings),
    ]


def _settings(settings: Settings) -> Finding:
    if settings.company == Company():
        return warn(
            "settings",
            "company is as shipped: no name, numbers of the US, times in UTC",
            "Set name, country and time_zone under [company] in ringcard.toml; it is read where you start ringcard, "
            "or as --config FILE says.",
        )
    return ok("settings", f"{settings.company.name}; this PBX is {settings.asterisk.node}")


def _numbers(settings: Settings) -> Finding:
    """How numbers without a country code are read, trunk by trunk."""
    country = settings.company.country
    named = [f"{name} {trunk.country or country}" for name, trunk in sorted(settings.trunks.items())]
    return ok("number plans", "; ".join([f"numbers without a country code are of {country}", *named]))


def _data_dir(folder: Path) -> Finding:
    home = folder if folder.exists() else next(parent for parent in folder.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as exc:
        return fail(
            "data folder",
            f"{folder} cannot be written: {exc.strerror}",
            "Let this user write there, or set store.data_dir to a folder of its own.",
        )
    if not folder.exists():
        return warn("data folder", f"there is no {folder} yet", "Make it and the database: ringcard migrate")
    if folder.stat().st_mode & 0o007:
        return warn("data folder", f"every user of this machine can look into {folder}", f"chmod o= {folder}")
    return ok("data folder", str(folder))


def _disk(folder: Path) -> list[Finding]:
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return []  # the finding before this one says why
    seen = f"{free_mb} MB free for {folder}"
    mend = "Make room there, or move store.data_dir to another disk."
    if free_mb < DISK_FULL_MB:
        return [fail("disk", seen, mend)]
    return [warn("disk", seen, mend) if free_mb < DISK_LOW_MB else ok("disk", seen)]


def _clock(settings: Settings) -> Finding:
    now = datetime.now(UTC)
    if now < BORN:
        return fail(
            "clock", f"this machine says it is {now:%Y-%m-%d %H:%M} UTC", "Set the clock; let an NTP client keep it."
        )
    return ok(
        "clock",
        f"{now.astimezone(ZoneInfo(settings.company.time_zone)):%Y-%m-%d %H:%M} in {settings.company.time_zone}",
    )
