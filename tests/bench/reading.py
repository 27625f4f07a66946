"""What reading a number costs, beside the libraries that read numbers: from the digits of a trunk to what is looked up.

Ringcard's reading does more than a library's: it tries what a trunk's plan allows, folds spellings of one phone into
one key, takes extensions off and makes the tail of digits. All are given the same numbers, each in a process of its own
that has read them all once before.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneNumberFormat as Form
from phonenumbers import PhoneNumberType

from lookup import numbers
from lookup.numbers import NumberPlan
from tests.bench.distribution import Distribution, distribution, rows

PROGRAM = Path(__file__).with_name("reading_with.py")
ELSEWHERE = Path(__file__).parents[2] / ".cache" / "bench-reading"
RUST = "rphonenumbers"
ONE_COUNTRY, ALL = "one country, as dialled there", "all countries, three spellings"

Corpus = Mapping[str, Sequence[tuple[str, str]]]
"""Numbers with the country of the trunk that they come by (ISO 3166-1 alpha-2)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Times of one reading in microseconds: by corpus, then by who reads."""

    times: Mapping[str, Mapping[str, Distribution]]
    faults: Sequence[str] = field(default=())


def run(seed: int, tell: Callable[[str], None]) -> Sequence[Reading]:
    found = corpus(seed)
    ways: dict[str, Callable[[], Mapping[str, Sequence[float]]]] = {
        "phonenumbers as it comes": lambda: _alone(sys.executable, found, "phonenumbers"),
        "phonenumbers, patterns kept": lambda: _alone(sys.executable, found, "phonenumbers", "patterns"),
    }
    if python := _with_rust(tell):
        ways["rphonenumbers (Rust)"] = lambda: _alone(python, found, RUST)
    ways["Ringcard, each seen first"] = lambda: _ours(found, again=False)
    ways["Ringcard, remembered"] = lambda: _ours(found, again=True)
    taken = {name: way() for name, way in ways.items()}
    times = {name: {way: distribution(all[name]) for way, all in taken.items()} for name in found}
    for name, by_way in times.items():
        tell(f"\nreading a number: {name}")
        tell("\n".join(rows(by_way, "us", 1)))
    wrong = [f"{raw} ({country}) is no number" for raw, country in found[ALL] if not _key(raw, country)]
    return [Reading(times, wrong)]


def corpus(seed: int) -> Corpus:
    """Random mobile numbers of Cambodia; and of every country's kinds of numbers the library's example, three ways."""
    drawn = random.Random(seed)
    local = [(f"012{drawn.randrange(10**6):06}", "KH") for _ in range(20_000)]
    return {ONE_COUNTRY: local, ALL: sorted(_examples())}


def _examples() -> Iterator[tuple[str, str]]:
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(country, kind)
            if number:
                for form in (Form.E164, Form.INTERNATIONAL, Form.NATIONAL):
                    yield phonenumbers.format_number(number, form), country


def _alone(python: str, found: Corpus, *args: str) -> Mapping[str, Sequence[float]]:
    done = subprocess.run(
        [python, str(PROGRAM), *args], input=json.dumps(found), capture_output=True, text=True, check=True
    )
    times: Mapping[str, Sequence[float]] = json.loads(done.stdout)
    return times


def _with_rust(tell: Callable[[str], None]) -> str:
    """A Python that has it: it is no part of Ringcard. Empty, and said, when it cannot be had here."""
    python = ELSEWHERE / "bin" / "python"
    try:
        if not python.exists():
            venv.create(ELSEWHERE, with_pip=True)
        command = [
            str(python),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "-q",
            "install",
            "--only-binary=:all:",
            RUST,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        tell(f"{RUST} is left out: {error}")
        return ""
    return str(python)


def _ours(found: Corpus, again: bool) -> Mapping[str, Sequence[float]]:
    for some in found.values():
        for raw, country in some:
            _key(raw, country)
    return {name: [_time(raw, country, again) for raw, country in some] for name, some in found.items()}


def _time(raw: str, country: str, again: bool) -> float:
    plan = NumberPlan(country)
    numbers.forget()
    if again:
        numbers.read(raw, plan)
    begun = time.perf_counter_ns()
    numbers.read(raw, plan)
    return (time.perf_counter_ns() - begun) / 1000


def _key(raw: str, country: str) -> str:
    return numbers.read(raw, NumberPlan(country)).match_key
