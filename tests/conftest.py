"""Fixtures live in `tests/fixtures/`, one file per component. `RINGCARD_*` of whoever started the tests is not seen."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from records import passwords

# What is imported and collected stays to the end: it is never garbage, and looking through it again takes long.
gc.disable()

# A hash takes 50 ms on purpose, and hundreds of tests have people of their own.
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

pytest_plugins = [
    "tests.fixtures.redis",
    "tests.fixtures.redis_many",
    "tests.fixtures.slapd",
    "tests.fixtures.postgres",
    "tests.fixtures.lab",
    "tests.fixtures.company",
    "tests.fixtures.calls_flowing",
    "tests.fixtures.erp",
    "tests.fixtures.desk",
    "tests.fixtures.house",
    "tests.fixtures.browser",
]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For sockets, whose path may have 107 bytes: pytest's own folders have longer names when it runs side by side."""
    with tempfile.TemporaryDirectory(prefix="rc-") as folder:
        yield Path(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is looked for among what tests make."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of each kind in turns, so that files that run side by side want different things; unit tests at the end.

    A file that is whole in one process runs as long as it runs: the long ones of calls and browsers come early.
    """
    files: dict[str, dict[Path, int]] = {}
    for item in items:
        kind = files.setdefault(item.path.parent.name, {})
        kind.setdefault(item.path, len(kind))
    items.sort(key=lambda item: (item.path.parent.name == "unit", files[item.path.parent.name][item.path]))


for name in [name for name in os.environ if name.startswith("RINGCARD_")]:
    del os.environ[name]

# Timings never gate a test, and the unit tests stay quick; HYPOTHESIS_EXAMPLES=10000 looks for longer.
settings.register_profile(
    "ringcard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")),
)
settings.load_profile("ringcard")
