"""Calls for an hour or as long as wanted: do memory, open files and threads of any process grow?

Every second thing is as in daily life: customers and strangers, calls that are answered and calls that are given up.
Minute by minute the telephones' accounts are held against the log. What each process holds is looked at all the time;
the first fifth of the run is left out of the comparison, since caches fill then. Ctrl-C ends it after the minute that
it is in, with what was measured until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean

from ringcard.lab import Lab
from ringcard.phones import Dialled, Phone, load
from tests.accounts import accounts, differences, rings
from tests.bench.machine import Busy, watching
from tests.bench.people import Person, enter_managers, enter_shared_out, strangers
from tests.bench.supervised import processes, supervised
from tests.company import DIRECT, Company, now
from tests.phone_bank import PhoneBank

PEOPLE = 5_000
MANAGERS = tuple(str(1001 + i) for i in range(400))  # more than calls go on at once: who talks is not rung
SETTINGS = f'[dids."{DIRECT}"]\npolicy = "route"\n[routing]\nring_s = 5\ngroup_ring_s = 5\n'
CHUNK_S = 60.0
SAMPLE_S = 5.0
RING_S, TALK_S = 0.2, 0.5
SETTLED = 0.2  # of the run, before what processes hold is compared
LOG_S = 30.0
TOLERANCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """What one process holds at one moment."""

    at_s: float  # since the run began
    memory_mb: float  # resident and its own
    mapped_mb: float  # resident of files that are read as memory, SQLite's of the company; the system takes it back
    files: int
    threads: int


def held(pid: int, at_s: float) -> Held:
    """Raises OSError when the process has ended."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    own, mapped = (int(told[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Held(at_s, own, mapped, files, int(told["Threads"]))


@dataclass(frozen=True, slots=True)
class Growth:
    """One figure of one process: its means in the first and the last tenth of what is compared, and the slope."""

    first: float
    last: float
    an_hour: float


def growth(samples: Sequence[Held], figure: Callable[[Held], float]) -> Growth:
    """Raises ValueError without samples."""
    if not samples:
        raise ValueError("nothing was sampled")
    kept = [one for one in samples if one.at_s >= SETTLED * samples[-1].at_s]
    tenth = max(1, len(kept) // 10)
    times, values = [one.at_s for one in kept], [figure(one) for one in kept]
    middle, mean = fmean(times), fmean(values)
    spread = sum((at - middle) ** 2 for at in times)
    slope = sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True)) / (spread or 1.0)
    return Growth(fmean(values[:tenth]), fmean(values[-tenth:]), slope * 3600)


FIGURES: Mapping[str, Callable[[Held], float]] = {
    "memory, MB": lambda one: one.memory_mb,
    "mapped, MB": lambda one: one.mapped_mb,
    "files": lambda one: one.files,
    "threads": lambda one: one.threads,
}


@dataclass(frozen=True, slots=True)
class Soak:
    machine: Busy
    calls: int
    processes: Mapping[str, Mapping[str, Growth]]
    faults: tuple[str, ...]

    def text(self) -> str:
        lines = [f"  {self.calls} calls, {len(self.faults)} faults; {self.machine}"]
        lines.append(f"  {'':<12}{'':<12}{'first tenth':>12}{'last tenth':>12}{'an hour':>12}")
        for name, figures in self.processes.items():
            for what, g in figures.items():
                lines.append(f"  {name:<12}{what:<12}{g.first:>12.1f}{g.last:>12.1f}{g.an_hour:>+12.1f}")
        return "\n".join([*lines, *(f"  fault: {fault}" for fault in self.faults[:20])])


async def measure(minutes: float, rate: float, tell: Callable[[str], None]) -> Soak:
    samples: defaultdict[str, list[Held]] = defaultdict(list)
    faults: list[str] = []
    calls = 0
    people = [Person(i) for i in range(PEOPLE)]
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder, Lab(phones=("102", *MANAGERS)) as lab:
        async with supervised(lab, Path(folder), SETTINGS, lambda company: _enter(company, people)) as company:
            pids = processes(company)
            sampling = asyncio.create_task(_sample(pids, samples))
            known, unknown = cycle(people), cycle(strangers(0, PEOPLE))
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
            with watching() as busy:
                for minute in _chunks(minutes * 60):
                    if stop.is_set():
                        break
                    count = int(minute * rate)
                    callers = [next(known) if i % 5 else next(unknown) for i in range(count)]
                    found = await _some(company, callers, rate)
                    faults += found
                    calls += count
                    tell("\n".join((f"  {calls} calls, {len(faults)} faults", *(f"    {each}" for each in found[:5]))))
            sampling.cancel()
            await asyncio.wait({sampling})
            faults += [f"{name} was started anew" for name, pid in processes(company).items() if pids[name] != pid]
            faults += company.mistakes()
    grown = {name: {what: growth(one, figure) for what, figure in FIGURES.items()} for name, one in samples.items()}
    return Soak(busy, calls, grown, tuple(faults))


def _chunks(seconds: float) -> list[float]:
    whole, rest = divmod(seconds, CHUNK_S)
    return [CHUNK_S] * int(whole) + ([rest] if rest >= 1 else [])


def _enter(company: Company, people: Sequence[Person]) -> None:
    enter_shared_out(company.database, people, enter_managers(company.database, MANAGERS))


async def _sample(pids: Mapping[str, int], samples: Mapping[str, list[Held]]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        for name, pid in pids.items():
            with contextlib.suppress(OSError, KeyError):
                samples[name].append(held(pid, loop.time() - began))
        await asyncio.sleep(SAMPLE_S)


async def _some(company: Company, callers: Sequence[Person], rate: float) -> list[str]:
    """These calls, with telephones of their own, whose account is then held against the log."""
    began = now()
    dialled = [Dialled(person.number, DIRECT) for person in callers]
    async with AsyncExitStack() as stack:
        kinds = (PhoneBank(company.lab, MANAGERS, ring_s=RING_S), Phone(company.lab, "102", ring_s=RING_S))
        phones = [await stack.enter_async_context(phone) for phone in kinds]
        patient, hasty = dialled[: len(dialled) * 9 // 10], dialled[len(dialled) * 9 // 10 :]
        made = await asyncio.gather(
            load(company.lab, patient, rate=rate * 0.9, talk_s=TALK_S),
            load(company.lab, hasty, rate=rate * 0.1, give_up_s=RING_S / 2),
        )
        told = accounts(
            [outcome for outcomes in made for outcome in outcomes],
            [rang for phone in phones for rang in rings(phone.messages)],
        )
    for _ in range(int(LOG_S)):
        rows = await asyncio.to_thread(company.logged, began)
        wrong = differences(told, rows, TOLERANCE_S)
        if not wrong:
            break
        await asyncio.sleep(1)
    return [f"{key}: {'; '.join(words)}" for key, words in wrong.items()]


def run(minutes: float, rate: float, tell: Callable[[str], None]) -> list[Soak]:
    tell(f"\nsoak: {rate:g} calls a second for {minutes:g} minutes")
    measured = asyncio.run(measure(minutes, rate, tell))
    tell(measured.text())
    return [measured]
