"""Fixtures live in `tests/fixtures/`, one file per component. `RINGCARD_*` of whoever started the tests is not seen."""

import os

pytest_plugins = [
    "tests.fixtures.redis",
    "tests.fixtures.postgres",
    "tests.fixtures.lab",
    "tests.fixtures.browser",
]

for name in [name for name in os.environ if name.startswith("RINGCARD_")]:
    del os.environ[name]
