"""What the figures were measured on, and what else the machine did meanwhile: without both a figure means nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ringcard.private_asterisk import find_asterisk
from ringcard.redis_server import find_program

LIBRARIES = ("uvloop", "aiohttp", "redis", "hiredis", "orjson", "phonenumbers", "SQLAlchemy")


@dataclass(frozen=True, slots=True)
class Machine:
    when: str  # RFC 3339, UTC
    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    libraries: dict[str, str]
    servers: dict[str, str]  # Asterisk, Redis, SIPp: whatever takes part
    load: tuple[float, ...]  # of the last 1, 5 and 15 minutes, before the first round


def this_machine(servers: dict[str, str]) -> Machine:
    return Machine(
        when=time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
        servers=servers,
        load=tuple(round(load, 1) for load in os.getloadavg()),
    )


def servers() -> dict[str, str]:
    """Those that take part in nearly everything, with their versions."""
    said = _words(find_program(), "--version") + _words("sipp", "-v")
    named = re.findall(r"(Redis|Valkey|SIPp)\b.*?\bv=?([\d.]+)", said)
    return {"Asterisk": find_asterisk().version, **dict(named)}


def _words(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    guest = " (a virtual machine)" if re.search(r"^flags\s*:.*\bhypervisor\b", told, re.MULTILINE) else ""
    return (model[1] if model else platform.machine()) + guest


def heading(machine: Machine) -> str:
    return "\n".join(
        (
            f"{machine.when}  {machine.processor}, {machine.cores} cores, {machine.memory_gb:.0f} GB, {machine.system}",
            ", ".join(f"{name} {number}" for name, number in machine.servers.items()),
            f"Python {machine.python}: " + ", ".join(f"{name} {number}" for name, number in machine.libraries.items()),
            "load of the last 1, 5, 15 minutes: " + " ".join(f"{load:.1f}" for load in machine.load),
        )
    )


@dataclass(slots=True)
class Busy:
    """How busy all cores together were, in percent; `stolen` is what the host gave to others instead."""

    busy: float = 0.0
    stolen: float = 0.0

    def __str__(self) -> str:
        return f"machine {self.busy:.0f} % busy, {self.stolen:.0f} % stolen"


@contextmanager
def watching() -> Iterator[Busy]:
    """Filled in at the end."""
    busy = Busy()
    before = _ticks()
    yield busy
    spent = [after - since for after, since in zip(_ticks(), before, strict=True)]
    whole = sum(spent)
    idle, waiting, stolen = spent[3], spent[4], spent[7]
    busy.busy = 100 * (whole - idle - waiting - stolen) / whole
    busy.stolen = 100 * stolen / whole


def cpu_ms(pid: int) -> float:
    """What a process has computed so far, all its threads and the children that have ended together."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")


def _ticks() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guests are counted within user."""
    return [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
