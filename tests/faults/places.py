"""Places of their own for what is to be broken: a disk that can be full, a network that can be cut, a clock to set.

Disk and network need root, and vanish with the process that made them, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ringcard.lab import Lab

_CLONE_NEWNS = 0x00020000  # <linux/sched.h>
_MS_PRIVATE_ALL = 1 << 18 | 1 << 14  # <linux/mount.h>: MS_PRIVATE, and of everything below (MS_REC)
CHUNK = 1 << 16


def as_root() -> bool:
    return os.geteuid() == 0


def own_mounts() -> None:
    """What this process mounts from now on nobody else sees, and it goes with the process. To be done first of all."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_PRIVATE_ALL, None):
        raise OSError(ctypes.get_errno(), "no mounts of our own")


class Disk:
    """A small one that can be filled up to the last byte."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filling = place / "somebody's film"

    def fill(self) -> None:
        with self._filling.open("ab", buffering=0) as film:
            for size in (CHUNK, 1):
                with contextlib.suppress(OSError):
                    while film.write(bytes(size)):
                        pass

    def full(self) -> bool:
        """Whether not another page would fit."""
        try:
            with tempfile.TemporaryFile(dir=self.place) as probe:
                probe.write(bytes(4096))
                probe.flush()
        except OSError as exc:
            return exc.errno == errno.ENOSPC
        return False

    def tidy(self) -> None:
        self._filling.unlink(missing_ok=True)


@contextmanager
def disk(place: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of that size, mounted at the folder `place`."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], check=True, capture_output=True)
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


class OpenLab(Lab):
    """A PBX that is asked over the network, not from its own machine alone."""

    def _write_configuration(self) -> None:
        super()._write_configuration()
        http = self.dir / "etc/http.conf"
        http.write_text(http.read_text().replace(f"bindaddr = {self.address}", "bindaddr = 0.0.0.0"))


class Network:
    """Ringcard's own machine: one line to the PBX, another to the people at the desk."""

    def __init__(self, pid: int, line: str) -> None:
        net = _nobodys_net()
        self.pbx, self.us_to_pbx, self.people, self.us_to_people = (f"{net}.{last}" for last in (1, 2, 5, 6))
        self.before = ("nsenter", f"--net=/proc/{pid}/ns/net", "--")  # words that make a program run there
        self._line = line

    def cut(self) -> None:
        """Nothing passes any more between Ringcard and the PBX, and neither is told."""
        _ip("link", "set", self._line, "down")

    def join(self) -> None:
        _ip("link", "set", self._line, "up")


def _nobodys_net() -> str:
    """One of those for examples (RFC 5737) in which this machine has no address."""
    told = subprocess.run(["ip", "-4", "-oneline", "address"], check=True, capture_output=True, text=True).stdout
    return next(net for net in ("198.51.100", "203.0.113", "192.0.2") if f" {net}." not in told)


@contextmanager
def network() -> Iterator[Network]:
    holding = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]
    holder = subprocess.Popen(holding, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()  # it is in there
        name = f"rc{os.getpid()}"
        there = Network(holder.pid, f"{name}p")
        for line, near, far in (
            (f"{name}p", there.pbx, there.us_to_pbx),
            (f"{name}d", there.people, there.us_to_people),
        ):
            _ip("link", "add", line, "type", "veth", "peer", "name", f"{line}2", "netns", str(holder.pid))
            _ip("address", "add", f"{near}/30", "dev", line)
            _ip("link", "set", line, "up")
            for words in (("address", "add", f"{far}/30", "dev", f"{line}2"), ("link", "set", f"{line}2", "up")):
                _run([*there.before, "ip", *words])
        _run([*there.before, "ip", "link", "set", "lo", "up"])
        yield there
    finally:
        holder.kill()  # and with the last process in it the network goes, with both lines
        holder.wait()
        if holder.stdout:
            holder.stdout.close()


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Clock:
    """The clock of the programs that are started with `before`, which can be set."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("+0")
        self.before = (
            "env",
            f"LD_PRELOAD={faketime_library()}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_CACHE_DURATION=1",  # seconds until it is seen
            "FAKETIME_DONT_FAKE_MONOTONIC=1",  # setting a clock does not move that one
            "FAKETIME_FORCE_MONOTONIC_FIX=0",  # else each thread that waits for the interpreter takes a processor
        )

    def set(self, offset: str) -> None:
        """So much apart from the right time: "-1h"."""
        self._file.write_text(f"{offset}\n")


def faketime_library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


@contextmanager
def silent_peer() -> Iterator[str]:
    """The address of an AGI server that takes every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        host, port = server.getsockname()
        yield f"agi://{host}:{port}/caller-name"
