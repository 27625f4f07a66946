"""Ports of tests: the processes that run tests side by side have each their own."""

from __future__ import annotations

import os

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
APART = 200


def port(number: int) -> int:
    """This process's own instead of `number`."""
    return number + WORKER * APART
