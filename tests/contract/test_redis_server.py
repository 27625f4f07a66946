"""Our own Redis: private, bounded, and gone when we are gone."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ringcard import redis_server
from ringcard.redis_server import OwnServer, ServerError, brought_program, find_program, server_folder, server_url
from tests.fixtures.redis import command, kill


@pytest.fixture(params=[find_program, brought_program])
def program(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param()
    return found


def test_it_answers_when_start_returns_and_is_gone_when_stop_returns(tmp_path: Path, program: Path) -> None:
    server = OwnServer(tmp_path, program)
    server.start()
    pid = server.pid
    assert command(server, "PING") == b"+PONG\r\n"
    assert server.version.split()[0] in ("Redis", "Valkey")
    server.stop()
    assert not _runs(pid)
    assert list(server.folder.glob("*.sock")) == []


def test_cards_may_be_evicted_and_the_disk_is_never_written(tmp_path: Path, program: Path) -> None:
    with OwnServer(tmp_path, program, memory="64mb") as server:
        for setting, value in {
            "maxmemory": "67108864",
            "maxmemory-policy": "volatile-lfu",
            "save": "",
            "appendonly": "no",
        }.items():
            assert f"${len(value)}\r\n{value}\r\n".encode() in command(server, f"CONFIG GET {setting}")


def test_nobody_else_can_reach_it(tmp_path: Path) -> None:
    with OwnServer(tmp_path) as server:
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((server.folder / "redis.sock").stat().st_mode) == 0o700
        assert command(server, "CONFIG GET port").endswith(b"$1\r\n0\r\n")


def test_a_folder_with_a_long_name_gets_its_socket_elsewhere_and_everyone_finds_it(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    deep = tmp_path / ("d" * 120)
    with OwnServer(deep) as server:
        assert command(server, "PING") == b"+PONG\r\n"
        assert server.url == server_url(deep)
        assert server.folder.parent == short_folder
    assert server_folder(deep) != server_folder(tmp_path / ("e" * 120))


def test_after_its_death_it_can_be_started_again(tmp_path: Path) -> None:
    with OwnServer(tmp_path) as server:
        kill(server.pid)
        _wait_until(lambda: server.pid is None)
        server.start()
        assert command(server, "PING") == b"+PONG\r\n"


def test_a_second_ringcard_on_the_same_data_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with OwnServer(tmp_path) as server:
        with pytest.raises(ServerError, match="another Ringcard is using"):
            OwnServer(tmp_path).start()
        assert command(server, "PING") == b"+PONG\r\n"


STARTS_ONE = """
import sys, signal
from pathlib import Path
from ringcard import redis_server
if sys.argv[2] == "without setpriv":
    which = redis_server.shutil.which
    redis_server.shutil.which = lambda name: None if name == "setpriv" else which(name)
server = redis_server.OwnServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
signal.pause()
"""


def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    assert not _runs(_orphan(tmp_path, "with setpriv"))


def test_one_that_outlived_its_parent_is_replaced_even_when_frozen(tmp_path: Path) -> None:
    left = _orphan(tmp_path, "without setpriv")
    os.kill(left, signal.SIGSTOP)
    with OwnServer(tmp_path) as server:
        assert not _runs(left)
        assert server.pid != left
        assert command(server, "PING") == b"+PONG\r\n"


def test_a_process_that_only_has_the_number_of_an_old_server_is_left_in_peace(tmp_path: Path) -> None:
    folder = server_folder(tmp_path)
    folder.mkdir()
    (folder / "redis.pid").write_text(str(os.getpid()))
    with OwnServer(tmp_path) as server:
        assert command(server, "PING") == b"+PONG\r\n"


def test_stop_ends_a_frozen_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "STOP_S", 0.1)
    server = OwnServer(tmp_path)
    server.start()
    pid = server.pid
    os.kill(pid or 0, signal.SIGSTOP)
    server.stop()
    assert not _runs(pid)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"did not start: .*maxmemory"):
        OwnServer(tmp_path, memory="a lot").start()


def test_a_machine_without_a_redis_gets_the_one_we_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_program() == brought_program()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ServerError, match="belongs to somebody else"):
        OwnServer(tmp_path).start()


def _orphan(data_dir: Path, how: str) -> int:
    """The pid of a server whose parent was just killed."""
    parent = subprocess.Popen([sys.executable, "-c", STARTS_ONE, str(data_dir), how], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    if how == "with setpriv":
        _wait_until(lambda: not _runs(pid))
    return pid


def _runs(pid: int | None) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to that in 5 s")
