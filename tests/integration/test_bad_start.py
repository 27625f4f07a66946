"""`ringcard run` with something wrong: what it says, that it says what to do, and how it ends. Never a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

import config
from records.database import open_database, writing
from ringcard.lab import Lab
from ringcard.redis_server import OwnServer
from tests.ports import free_ports

ENDS_S = 60
SAYS_S = 30
LONG_ENOUGH_S = 2.0
"""In this time the connection to Asterisk is tried four times."""


class Command:
    """`ringcard --config FILE WORDS`, in a folder of its own."""

    def __init__(self, folder: Path, settings: str, environ: Mapping[str, str] | None = None) -> None:
        self._file = folder / "ringcard.toml"
        self._file.write_text(settings, encoding="utf-8")
        self._environ = {**os.environ, **(environ or {})}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "ringcard.cli", "--config", str(self._file), *words]

    def ends(self, *words: str) -> tuple[int, str]:
        """Its exit status and all that it said."""
        done = subprocess.run(
            self.command(*words), env=self._environ, capture_output=True, text=True, timeout=ENDS_S, check=False
        )
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        return done.returncode, said

    def refuses(self, *words: str) -> str:
        """The one line that it says before it ends with status 1; what is away may have been said before."""
        status, said = self.ends(*words)
        assert status == 1, said
        last = said.splitlines()[-1]
        assert last.startswith("ringcard: "), said
        assert all(" warning " in line for line in said.splitlines()[:-1]), said
        return last

    @contextmanager
    def running(self, *words: str) -> Iterator[Running]:
        """It stays up; ended in order with status 0 afterwards, without having shown a traceback."""
        log = self._file.with_suffix(".log")
        with log.open("wb") as output:
            process = subprocess.Popen(self.command(*words), env=self._environ, stdout=output, stderr=output)
        it = Running(process, log)
        try:
            yield it
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDS_S) == 0, it.said
        finally:
            process.kill()
            process.wait()
        assert "Traceback" not in it.said, it.said


class Running:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    async def says(self, words: str) -> None:
        async with asyncio.timeout(SAYS_S):
            while words not in self.said:
                assert self._process.poll() is None, f"it ended: {self.said}"
                await asyncio.sleep(0.05)


def ari(lab: Lab, **changes: str) -> str:
    values = {"ari_url": lab.ari_url, "username": lab.ari_user, "password": lab.password, **changes}
    return "\n".join(("[asterisk]", *(f'{name} = "{value}"' for name, value in values.items()), ""))


# --- settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[lookup]\nbudjet_ms = 100\n", "unknown key lookup.budjet_ms; did you mean budget_ms?"),
        ("[lookpu]\nbudget_ms = 100\n", "unknown key lookpu; did you mean lookup?"),
        ('[dids."+85523900001"]\npolice = "route"\n', "unknown key dids.+85523900001.police; did you mean policy?"),
        ('[lookup]\nbudget_ms = "soon"\n', "lookup.budget_ms = 'soon'; write a number"),
        ("[desk]\nport = true\n", "desk.port = True; write a number"),
        ('[routing]\npolicy = "rout"\n', "routing.policy = 'rout'; write one of 'name', 'route', 'leave'"),
        ('[asterisk]\nari_url = "127.0.0.1:8088"\n', "asterisk.ari_url = '127.0.0.1:8088' is no address"),
        ('[store]\ndatabase_url = "mysql://x"\n', "store.database_url = 'mysql://x' is no address"),
        ("[lookup\n", "is not valid TOML"),
        ("[company]\ncountry = KH\n", 'a text stands in quotation marks, like country = "KH"'),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_what_to_write(tmp_path: Path, settings: str, said: str) -> None:
    refused = Command(tmp_path, settings).refuses("run")
    assert said in refused
    assert "ringcard.toml" in refused


def test_a_wrong_setting_in_the_environment_is_refused_too(tmp_path: Path) -> None:
    command = Command(tmp_path, "", {"RINGCARD_LOOKUP__BUDJET_MS": "100"})
    assert "unknown key lookup.budjet_ms; did you mean budget_ms?" in command.refuses("run", "ari")


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = Command(tmp_path, "")
    (tmp_path / "ringcard.toml").unlink()
    assert f"no settings file at {tmp_path / 'ringcard.toml'}" in command.refuses("run")


@pytest.mark.parametrize(
    "words", [("run",), ("migrate",), ("import", "customers.csv"), ("user", "list")], ids=lambda words: words[0]
)
def test_in_a_folder_without_settings_nothing_is_made_and_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    status, said = in_an_empty_folder(tmp_path, monkeypatch, *words)
    assert status == 1
    assert "there is no ringcard.toml here; start ringcard where yours is, or name it: ringcard --config FILE" in said
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_and_a_lookup_make_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = in_an_empty_folder(tmp_path, monkeypatch, "doctor")
    assert status == 1
    assert "there is no ringcard.toml here" in said
    status, said = in_an_empty_folder(tmp_path, monkeypatch, "lookup", "+85512345678")
    assert "there is no database" in said
    assert "make it: ringcard migrate" in said
    assert list(tmp_path.iterdir()) == []


def test_a_lookup_in_a_database_that_is_not_ready_says_so(tmp_path: Path, empty_database_url: str) -> None:
    command = Command(tmp_path, f'[store]\ndatabase_url = "{empty_database_url}"\n')
    assert "run: ringcard migrate" in command.refuses("lookup", "+85512345678")


def in_an_empty_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    monkeypatch.delenv("RINGCARD_CONFIG", raising=False)
    environ = {**os.environ, "PYTHONPATH": str(Path(config.__file__).parent.parent)}
    command = [sys.executable, "-m", "ringcard.cli", *words]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=ENDS_S, check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return done.returncode, said


def test_a_data_dir_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = Command(tmp_path, '[store]\ndata_dir = "file/data"\n').refuses("run")
    assert f"in {tmp_path}/file/data" in refused
    assert "let this user write there, or set store.data_dir" in refused


# --- ports and folders that others have


def test_the_desk_names_the_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = Command(tmp_path, f"[desk]\nport = {port}\n").refuses("run", "desk")
    assert f"the desk cannot listen on 127.0.0.1:{port}: Address already in use" in refused
    assert "choose another as desk.port" in refused


def test_a_desk_host_that_is_no_address_of_this_machine_is_named(tmp_path: Path) -> None:
    refused = Command(tmp_path, '[desk]\nhost = "192.0.2.7"\n').refuses("run", "desk")
    assert "the desk cannot listen on 192.0.2.7:8080" in refused
    assert "write an address of this machine as desk.host" in refused


def test_the_agi_server_names_the_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = Command(tmp_path, f"[agi]\nport = {port}\n").refuses("run", "agi")
    assert f"127.0.0.1:{port}" in refused
    assert "agi.port" in refused


async def test_with_the_desks_port_taken_calls_are_served_nevertheless(tmp_path: Path, own_application: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = f"{ari(own_application)}[desk]\nport = {port}\n[agi]\nport = {free_ports(1)[0]}\n"
        with Command(tmp_path, settings).running("run") as ringcard:
            await ringcard.says(f"the desk cannot listen on 127.0.0.1:{port}")
            await ringcard.says("desk ended (status 1); starting it again")
            await ringcard.says("ari connected")


def test_a_second_ringcard_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with OwnServer(tmp_path / "data"):
        refused = Command(tmp_path, '[store]\ndata_dir = "data"\n').refuses("run")
    assert "another Ringcard is using" in refused
    assert "give this one its own store.data_dir" in refused


# --- Asterisk


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ari_url": "http://127.0.0.1:1/ari"}, "Asterisk does not answer at http://127.0.0.1:1/ari"),
        ({"password": "wrong"}, "compare asterisk.username and password with ari.conf"),
        ({"username": "nobody"}, "compare asterisk.username and password with ari.conf"),
        ({"ari_url": "@/wrong"}, "check asterisk.ari_url"),
    ],
)
async def test_without_asterisk_it_stays_up_and_says_once_what_is_wrong(
    tmp_path: Path, standing_lab: Lab, changes: dict[str, str], said: str
) -> None:
    root = standing_lab.ari_url.removesuffix("/ari")
    settings = ari(standing_lab, **{name: value.replace("@", root) for name, value in changes.items()})
    with Command(tmp_path, settings).running("run", "ari") as ringcard:
        await ringcard.says(said)
        await asyncio.sleep(LONG_ENOUGH_S)
        assert ringcard.said.count(said) == 1


async def test_an_asterisk_that_comes_later_is_found(tmp_path: Path) -> None:
    with Lab() as lab:
        lab.halt()
        with Command(tmp_path, ari(lab)).running("run", "ari") as ringcard:
            await ringcard.says("Asterisk does not answer at")
            await asyncio.to_thread(lab.start)
            await ringcard.says("ari connected")


# --- the database


def test_a_database_of_a_newer_ringcard_is_refused(tmp_path: Path, database_url: str) -> None:
    database = open_database(database_url)
    with writing(database) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.dispose()
    refused = Command(tmp_path, f'[store]\ndatabase_url = "{database_url}"\n').refuses("run")
    assert "a newer Ringcard made this database (revision 9999" in refused
    assert "upgrade Ringcard" in refused


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path, empty_database_url: str) -> None:
    database = open_database(empty_database_url)
    with writing(database) as session:
        session.execute(text("CREATE TABLE customers (id INTEGER)"))
    refused = Command(tmp_path, f'[store]\ndatabase_url = "{empty_database_url}"\n').refuses("run")
    assert "tables that Ringcard did not make (customers)" in refused
    with writing(database) as session:
        assert session.execute(text("SELECT count(*) FROM customers")).scalar() == 0
    database.dispose()


async def test_without_the_database_calls_are_served_and_it_is_said(tmp_path: Path, own_application: Lab) -> None:
    gone = "postgresql+psycopg://ringcard@127.0.0.1:1/ringcard"
    (free_port,) = free_ports(1)
    settings = f'{ari(own_application)}[store]\ndatabase_url = "{gone}"\n[desk]\nport = {free_port}\n'
    with Command(tmp_path, settings).running("run") as ringcard:
        await ringcard.says("Starting without the database.")
        await ringcard.says(f"the desk is open at http://127.0.0.1:{free_port}")
        await ringcard.says("ari connected")


@pytest.fixture
def own_application(breakable_lab: Lab) -> Lab:
    """A PBX on which no other Ringcard is at work."""
    return breakable_lab


# --- the demo


@pytest.mark.parametrize("caller", ["nonsense", "+855...", "012;rm"])
def test_a_caller_that_is_no_number_is_refused_before_it_calls(tmp_path: Path, caller: str) -> None:
    refused = Command(tmp_path, "").refuses("call", caller)
    assert f"{caller!r} cannot call" in refused
    assert "known, shared, unknown, withheld" in refused


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    status, said = Command(tmp_path, "").ends("demo", "--port", "99999")
    assert status == 2
    assert "'99999' is no port; write one from 1 to 65535" in said
