"""Ports of tests: the processes that run tests side by side have each their own."""

from __future__ import annotations

import itertools
import os
import socket

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
APART = 200
FREE = 7300
BUS = 10_000

_offsets = itertools.cycle(range(APART))


def port(number: int) -> int:
    """This process's own instead of `number`."""
    return number + WORKER * APART


def free_ports(count: int) -> list[int]:
    """So many that follow each other, on which nobody listens now; asked again, others.

    They lie below those that the system gives to outgoing connections (from 32768 on Linux), which could take one
    before its server does. The ports 10,000 above are free as well: a node of a Redis cluster takes its own of them.
    """
    for _ in range(APART):
        found = [port(FREE + next(_offsets)) for _ in range(count)]
        if found[-1] - found[0] == count - 1 and all(_is_free(number) and _is_free(number + BUS) for number in found):
            return found
    raise AssertionError("no free ports")


def _is_free(number: int) -> bool:
    with socket.socket() as here:
        try:
            here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            here.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
