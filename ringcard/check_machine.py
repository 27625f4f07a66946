"""Doctor's look at this machine: the settings, the folder for our files, the disk, the clock."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from config.sentences import say
from config.settings import DEFAULT_PATH, Company, Settings
from ringcard.findings import Finding, fail, ok, warn

DISK_FULL_MB = 50  # below this the database's next write may fail
DISK_LOW_MB = 1000
BORN = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right tells an earlier time: the program did not exist."""


NO_SETTINGS = say("there is no {file} here", file=str(DEFAULT_PATH))
NAME_THEM = say(
    "Start ringcard where yours is, or name it: --config FILE; the first is a copy of config/ringcard.toml."
)


def machine(settings: Settings, named: bool) -> list[Finding]:
    """Everything here is asked of this machine alone and answered at once. `named`: somebody said whose this is."""
    return [
        _settings(settings) if named else fail(say("settings"), NO_SETTINGS, NAME_THEM),
        _numbers(settings),
        _data_dir(settings.data_dir),
        *_disk(settings.data_dir),
        _clock(settings),
    ]


def _settings(settings: Settings) -> Finding:
    if settings.company == Company():
        return warn(
            say("settings"),
            say("company is as shipped: no name, numbers of the US, times in UTC"),
            say(
                "Set name, country and time_zone under [company] in ringcard.toml; it is read where you start "
                "ringcard, or as --config FILE says."
            ),
        )
    return ok(
        say("settings"),
        say("{company}; this PBX is {node}", company=settings.company.name, node=settings.asterisk.node),
    )


def _numbers(settings: Settings) -> Finding:
    """How numbers without a country code are read, trunk by trunk."""
    country = settings.company.country
    named = [f"{name} {trunk.country or country}" for name, trunk in sorted(settings.trunks.items())]
    seen = say("numbers without a country code are of {country}", country=country)
    if named:
        seen = say("{seen}; {trunks}", seen=seen, trunks="; ".join(named))
    return ok(say("number plans"), seen)


def _data_dir(folder: Path) -> Finding:
    home = folder if folder.exists() else next(parent for parent in folder.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as exc:
        return fail(
            say("data folder"),
            say("{folder} cannot be written: {why}", folder=str(folder), why=exc.strerror),
            say("Let this user write there, or set store.data_dir to a folder of its own."),
        )
    if not folder.exists():
        return warn(
            say("data folder"),
            say("there is no {folder} yet", folder=str(folder)),
            say("Make it and the database: ringcard migrate"),
        )
    if folder.stat().st_mode & 0o007:
        return warn(
            say("data folder"),
            say("every user of this machine can look into {folder}", folder=str(folder)),
            f"chmod o= {folder}",
        )
    return ok(say("data folder"), str(folder))


def _disk(folder: Path) -> list[Finding]:
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return []  # the finding before this one says why
    seen = say("{free} MB free for {folder}", free=free_mb, folder=str(folder))
    mend = say("Make room there, or move store.data_dir to another disk.")
    if free_mb < DISK_FULL_MB:
        return [fail(say("disk"), seen, mend)]
    return [warn(say("disk"), seen, mend) if free_mb < DISK_LOW_MB else ok(say("disk"), seen)]


def _clock(settings: Settings) -> Finding:
    now = datetime.now(UTC)
    if now < BORN:
        return fail(
            say("clock"),
            say("this machine says it is {time} UTC", time=_minute(now)),
            say("Set the clock; let an NTP client keep it."),
        )
    return ok(
        say("clock"),
        say(
            "{time} in {zone}",
            time=_minute(now.astimezone(ZoneInfo(settings.company.time_zone))),
            zone=settings.company.time_zone,
        ),
    )


def _minute(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"
