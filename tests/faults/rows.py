"""What is broken, one row of the table each: how, and how it is mended."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

from ringcard.redis_server import server_url
from tests.company import WORKER
from tests.faults.places import as_root, faketime_library
from tests.faults.site import TWO, Site
from tests.fixtures.redis import ask

FIRST = f"ari-{WORKER}-1"
"""Of the two the one that follows all calls, too."""

Act = Callable[[Site], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """`mend` is None where nobody but Ringcard mends it. `cuts`: Asterisk's own end, which ends calls by itself."""

    name: str
    what: str
    break_it: Act
    mend: Act | None = None
    needs: frozenset[str] = frozenset()
    cuts: bool = False

    def missing(self) -> str:
        """Why this machine cannot do it; empty: it can."""
        if self.needs & {"network", "database disk", "data disk"} and not as_root():
            return "needs root"
        if "network" in self.needs and not shutil.which("ip"):
            return "needs the program ip"
        if "clock" in self.needs and faketime_library() is None:
            return "needs libfaketime"
        return ""


ABSENT = (("the tracker killed", "it is a part of an ARI process, and dies with it: of the two it is the one killed"),)
"""What cannot be broken because it is not there, and why."""


def faults() -> Sequence[Fault]:
    return (
        Fault("nothing", "nothing", lambda site: None),
        # Ringcard
        Fault("ari-killed", "its ARI process killed (`kill -9`)", _signal("ari", SIGKILL)),
        Fault("ari-frozen", "its ARI process frozen (`SIGSTOP`)", _signal("ari", SIGSTOP), _signal("ari", SIGCONT)),
        Fault("one-of-two-killed", "one of two ARI processes killed", _signal(FIRST, SIGKILL), needs=_of(TWO)),
        Fault("one-of-two-frozen", "one of two frozen", _signal(FIRST, SIGSTOP), _signal(FIRST, SIGCONT), _of(TWO)),
        Fault("all-killed", "all of Ringcard killed, started again", _kill_all, _start_all),
        Fault("desk-killed", "the desk killed", _signal("desk", SIGKILL)),
        Fault("worker-killed", "the worker killed", _signal("worker", SIGKILL)),
        # what it needs
        Fault("redis-killed", "Redis killed", _signal("redis", SIGKILL)),
        Fault("redis-frozen", "Redis frozen", _signal("redis", SIGSTOP), _signal("redis", SIGCONT)),
        Fault("redis-full", "Redis full (`noeviction`)", _fill_redis, _empty_redis),
        Fault("database-killed", "PostgreSQL killed, started again", _kill_database, _start_database, _POSTGRES),
        Fault("database-frozen", "PostgreSQL frozen", _freeze_database, _thaw_database, _POSTGRES),
        Fault("database-full", "PostgreSQL's disk full", _fill_disk, _tidy_disk, _POSTGRES | {"database disk"}),
        Fault("disk-full", "the disk of SQLite and of the journal full", _fill_disk, _tidy_disk, _of("data disk")),
        Fault("both-killed", "Redis and PostgreSQL killed", _kill_both, _start_database, _POSTGRES),
        Fault("both-frozen", "Redis and PostgreSQL frozen", _freeze_both, _thaw_both, _POSTGRES),
        # what is around it
        Fault(
            "silent-agi",
            "all of Ringcard killed, and the AGI peer accepts and stays silent",
            _kill_all_and_be_silent,
            _start_all,
            _of("silent agi"),
        ),
        Fault("asterisk-restarted", "Asterisk ended and started again", lambda site: site.lab.restart(), cuts=True),
        Fault(
            "network-cut",
            "the network between Asterisk and Ringcard cut",
            lambda site: site.network.cut(),
            lambda site: site.network.join(),
            _of("network"),
        ),
        Fault("clock-back", "Ringcard's clock set back by an hour", lambda site: site.clock.set("-1h"), needs=_CLOCK),
    )


def _of(*needs: str) -> frozenset[str]:
    return frozenset(needs)


_POSTGRES, _CLOCK = _of("postgresql"), _of("clock")


def _signal(role: str, number: Signals) -> Act:
    return lambda site: site.signal(role, number)


def _kill_all(site: Site) -> None:
    site.company.kill("")


def _start_all(site: Site) -> None:
    site.company.start("")


def _kill_all_and_be_silent(site: Site) -> None:
    site.lab.set_global("RINGCARD_AGI", site.silent_agi)
    site.company.kill("")


def _fill_redis(site: Site) -> None:
    """It has no room for another key, and may throw nothing away."""
    _redis(site, "CONFIG SET maxmemory-policy noeviction")
    _redis(site, "CONFIG SET maxmemory 1")


def _empty_redis(site: Site) -> None:
    _redis(site, "CONFIG SET maxmemory 256mb")
    _redis(site, "CONFIG SET maxmemory-policy volatile-lfu")


def _redis(site: Site, line: str) -> None:
    said = ask(server_url(site.company.settings.data_dir), line)
    assert said == b"+OK\r\n", said


def _kill_database(site: Site) -> None:
    site.postgres.kill()


def _start_database(site: Site) -> None:
    site.postgres.start()


def _freeze_database(site: Site) -> None:
    site.postgres.freeze()


def _thaw_database(site: Site) -> None:
    site.postgres.resume()


def _kill_both(site: Site) -> None:
    site.signal("redis", SIGKILL)
    site.postgres.kill()


def _freeze_both(site: Site) -> None:
    site.signal("redis", SIGSTOP)
    site.postgres.freeze()


def _thaw_both(site: Site) -> None:
    site.signal("redis", SIGCONT)
    site.postgres.resume()


def _fill_disk(site: Site) -> None:
    site.disk.fill()
    assert site.disk.full()


def _tidy_disk(site: Site) -> None:
    site.disk.tidy()
