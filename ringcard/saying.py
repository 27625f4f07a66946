"""Each process of this machine says its figures to whoever asks, on a socket of its own in data_dir.

So they are true at the moment of the question, whatever has become of Redis, the database or the disk; a process that
died says nothing more, and one that is frozen is seen to be. The name of a process is a place that it holds a lock on:
"ari", and "ari-2" for a second one. The kernel lets go of the lock with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import orjson

from config.measures import Said, Sample

log = logging.getLogger(__name__)

FOLDER = "figures"
ANSWER_S = 0.5
ROLES = ("ari", "agi", "desk", "worker")
"""Processes that are told of also when they are away."""

_SAID = msgspec.json.Decoder(tuple[Sample, ...])


class Saying:
    """One process, from `start` to `stop`. `samples` is called for each question and has to be quick."""

    def __init__(self, data_dir: Path, role: str, samples: Callable[[], Iterable[Sample]]) -> None:
        self.process = role
        self._folder = data_dir / FOLDER
        self._samples = samples
        self._lock: int | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Nothing but the figures depends on it, so that what fails is said in the log and no more."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _opened(self._folder) as folder:
                self.process, self._lock = _place(folder, self.process)
                listening = _listening(folder, self.process)
            self._server = await asyncio.start_unix_server(self._answer, sock=listening)
        except OSError as exc:
            log.warning("nobody can ask for the figures of this process: %s", exc)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()
            with contextlib.suppress(OSError):
                (self._folder / _socket(self.process)).unlink()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def said(self) -> Said:
        return Said(self.process, tuple(self._samples()))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(orjson.dumps(self.said().samples))
            await writer.drain()
        except OSError:
            pass  # whoever asked is gone
        finally:
            writer.close()


async def heard(data_dir: Path, own: Saying | None = None) -> list[Said]:
    """What every process of this data_dir says, `ringcard_up` included. `own`: the process that asks is one of them."""
    try:
        with _opened(data_dir / FOLDER) as folder:
            there = {name.removesuffix(".sock") for name in os.listdir(folder) if name.endswith(".sock")}
            names = sorted({*ROLES, *there} - {own.process if own else ""})
            answers = await asyncio.gather(*(_asked(folder, name) for name in names))
    except OSError:
        names, answers = sorted({*ROLES} - {own.process if own else ""}), []
    said = [_up(own.said())] if own else []
    for name, answer in itertools.zip_longest(names, answers):
        if answer is not None:
            said.append(_up(Said(name, answer)))
        elif name in ROLES:
            said.append(Said(name, (Sample("ringcard_up", 0),)))
    return said


def _up(said: Said) -> Said:
    return Said(said.process, (Sample("ringcard_up", 1), *said.samples))


async def _asked(folder: int, name: str) -> tuple[Sample, ...] | None:
    """None: it is not there, frozen, or of another version."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(_path(folder, name))
            try:
                return _SAID.decode(await reader.read(-1))
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None


def _place(folder: int, role: str) -> tuple[str, int]:
    """The first name of this role that nobody has, and the lock that keeps it ours."""
    for number in itertools.count(1):
        name = role if number == 1 else f"{role}-{number}"
        lock = os.open(f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return name, lock
    raise AssertionError("there is always a further number")


def _listening(folder: int, name: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_socket(name), dir_fd=folder)  # of one that had the name before and did not end in order
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(_path(folder, name))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _path(folder: int, name: str) -> str:
    """The name of a socket may have 107 bytes; data_dir alone may have more."""
    return f"/proc/self/fd/{folder}/{_socket(name)}"


def _socket(name: str) -> str:
    return f"{name}.sock"


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)
