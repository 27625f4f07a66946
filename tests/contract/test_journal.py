"""The journal of calls and its replay: what survives a kill, a full disk, a lost database, a poisonous entry."""

from __future__ import annotations

import logging
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from records.calls import call, write_call
from records.database import open_database, reading, writing
from records.errors import DatabaseGone
from records.facts import CallFacts, LegFacts, from_bytes, to_bytes
from records.journal import Journal, JournalGone
from records.replay import replay
from records.tables import CallLeg, CallRow
from tests.facts import facts
from tests.fixtures.postgres import TEMPLATE, PostgresServer

FACTS = facts(
    "c-1",
    linkedid="1.1",
    uniqueid="1.1",
    started_ms=1_700_000_000_123,
    shown_name="Sok Dara",
    tier="exact",
    reason="manager",
    legs=(LegFacts("1.2", "101", 1_700_000_000_200),),
)


def _facts(number: int, version: int = 1) -> CallFacts:
    return replace(FACTS, call_id=f"c-{number}", linkedid=f"1.{number}", version=version)


def _numbers(journal: Journal) -> list[int]:
    return [int(from_bytes(entry.facts).call_id.removeprefix("c-")) for entry in journal.pending(1_000_000)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "data" / "journal.db")


def test_facts_wait_in_the_order_in_which_they_came(journal: Journal) -> None:
    for number in range(500):
        journal.append(_facts(number))
    assert journal.flush()
    assert _numbers(journal) == list(range(500))
    journal.done(journal.pending(100)[-1].id)
    assert _numbers(journal) == list(range(100, 500))
    assert journal.size() == 400
    assert journal.close()


def test_closing_writes_what_was_appended_a_moment_ago(journal: Journal) -> None:
    for number in range(50):
        journal.append(_facts(number))
    assert journal.close()
    assert _numbers(journal) == list(range(50))
    journal.close()


def test_a_number_that_was_forgotten_is_never_given_again(journal: Journal) -> None:
    journal.append(_facts(1))
    journal.flush()
    first = journal.pending()[0].id
    journal.done(first)
    journal.close()
    journal.append(_facts(2))
    journal.flush()
    assert journal.pending()[0].id > first
    journal.close()


APPEND = """
import sys
from pathlib import Path
from records.journal import Journal
from tests.contract.test_journal import _facts
journal, number, end = Journal(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
while number < end:
    for _ in range(7):
        journal.append(_facts(number))
        number += 1
    assert journal.flush()
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_every_acknowledged_entry_and_no_gap(
    journal: Journal, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "journal.db"
    chance = random.Random(7)
    expected = 0
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", APPEND, str(path), str(expected), str(10**9)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        acknowledged = expected
        for _ in range(chance.randrange(1, 30)):
            acknowledged = int(child.stdout.readline())
        threading.Event().wait(chance.random() / 100)  # kill in the middle of a write, not after one
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        child.wait()
        child.stdout.close()
        numbers = _numbers(journal)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged
        expected = len(numbers)
    journal.close()


def test_two_processes_write_while_a_third_reads(journal: Journal, tmp_path: Path, database: Engine) -> None:
    path = tmp_path / "data" / "journal.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", APPEND, str(path), str(start), str(start + 280)], stdout=subprocess.DEVNULL
        )
        for start in (0, 1_000)
    ]
    while any(child.poll() is None for child in children):
        replay(journal, database)
    replay(journal, database)
    assert [child.wait() for child in children] == [0, 0]
    with reading(database) as session:
        ids = {int(row.removeprefix("c-")) for row in session.scalars(text("SELECT call_id FROM calls"))}
    assert ids == {*range(280), *range(1_000, 1_280)}
    assert journal.rejected() == []
    journal.close()


def test_a_folder_that_cannot_be_written_is_said_once_and_the_facts_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").touch()  # a file where the folder should be stops root as well
    journal = Journal(tmp_path / "data" / "journal.db", kept_in_memory=10)
    for number in range(25):
        journal.append(_facts(number))
    assert not journal.flush(1.5)  # more than one attempt
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Calls go on" in caplog.text
    with pytest.raises(JournalGone, match="may we write there"):
        journal.pending()
    (tmp_path / "data").unlink()
    assert journal.flush()
    assert _numbers(journal) == list(range(15, 25))
    assert "can be written again; facts given up meanwhile: 15" in caplog.text
    journal.close()


FULL_DISK = """
import logging, resource, signal, sys
from pathlib import Path
from records.journal import Journal
from tests.contract.test_journal import _facts, _numbers
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
journal = Journal(Path(sys.argv[1]))
journal.append(_facts(0))
assert journal.flush()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
for number in range(1, 200):
    journal.append(_facts(number))
assert not journal.flush(1.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert journal.flush()
assert _numbers(journal) == list(range(200)), _numbers(journal)
assert journal.close()
"""


def test_a_full_disk_costs_nothing_once_there_is_room_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "journal.db")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ERROR") == 1
    assert done.stdout.count("can be written again; facts given up meanwhile: 0") == 1


def test_what_cannot_be_written_at_the_end_is_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").touch()
    journal = Journal(tmp_path / "data" / "journal.db")
    journal.append(_facts(1))
    assert journal.close(0.1) is False
    assert "1 facts of calls could not be written" in caplog.text


def test_half_a_surrogate_pair_in_a_name_does_not_lose_the_call(journal: Journal) -> None:
    journal.append(replace(FACTS, caller_name="\ud83d!"))
    journal.flush()
    assert from_bytes(journal.pending()[0].facts).caller_name == "?!"
    journal.close()


def test_facts_come_back_from_bytes_as_they_were() -> None:
    assert from_bytes(to_bytes(FACTS)) == FACTS
    with pytest.raises(ValueError, match="facts of a call"):
        from_bytes(b"{}")


def test_replay_moves_everything_once(journal: Journal, database: Engine) -> None:
    for number in range(250):
        journal.append(_facts(number))
        journal.append(_facts(number, version=2))
    journal.flush()
    assert replay(journal, database) == 500
    assert replay(journal, database) == 0
    assert journal.size() == 0
    with reading(database) as session:
        assert session.query(CallRow).count() == 250
        assert session.query(CallLeg).count() == 250
    journal.close()


def test_replaying_the_same_entries_again_changes_nothing(journal: Journal, database: Engine) -> None:
    journal.append(_facts(1, version=2))
    journal.append(_facts(1, version=1))
    journal.flush()
    replay(journal, database)
    journal.append(_facts(1, version=1))
    journal.append(_facts(1, version=2))
    journal.flush()
    replay(journal, database)
    with reading(database) as session:
        row = session.query(CallRow).one()
        assert row.version == 2
        assert len(row.legs) == 1
    journal.close()


def test_a_poisonous_entry_is_set_aside_and_the_others_are_written(
    journal: Journal, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    journal.append(_facts(1))
    journal.append(replace(_facts(2), started_ms=2**60))  # in no calendar
    journal.append(replace(_facts(3), call_id="c-3", linkedid="1.1"))  # another call's linkedid
    journal.append(replace(_facts(4), caller_number=None))  # type: ignore[arg-type]
    journal.append(_facts(5))
    journal.flush()
    assert replay(journal, database) == 2
    assert journal.size() == 0
    assert len(journal.rejected()) == 3
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 3
    with reading(database) as session:
        assert sorted(session.scalars(text("SELECT call_id FROM calls"))) == ["c-1", "c-5"]
    assert replay(journal, database) == 0
    journal.close()


def test_bytes_of_nobody_are_set_aside(journal: Journal, tmp_path: Path, database: Engine) -> None:
    journal.append(_facts(1))
    journal.flush()
    other = sqlite3.connect(tmp_path / "data" / "journal.db")
    other.execute("INSERT INTO entries (facts) VALUES (x'ff00')")
    other.commit()
    other.close()
    assert replay(journal, database) == 1
    assert journal.rejected()[0][0].facts == b"\xff\x00"
    journal.close()


def test_a_name_with_a_nul_is_written_without_it(journal: Journal, database: Engine) -> None:
    journal.append(replace(FACTS, caller_name="a\x00b"))
    journal.flush()
    assert replay(journal, database) == 1
    with reading(database) as session:
        row = call(session, "c-1")
        assert row is not None
        assert row.caller_name == "ab"
    journal.close()


def test_no_entry_is_blamed_for_a_database_without_tables(journal: Journal, empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    journal.append(FACTS)
    journal.flush()
    with pytest.raises(DatabaseGone, match="log of calls cannot be written"):
        replay(journal, engine)
    assert journal.size() == 1
    assert journal.rejected() == []
    journal.close()
    engine.dispose()


def test_no_entry_is_blamed_for_a_server_that_may_only_be_read(journal: Journal, postgres_url: str) -> None:
    engine = open_database(f"{postgres_url}&options=-c%20default_transaction_read_only%3Don")
    journal.append(FACTS)
    journal.flush()
    with pytest.raises(DatabaseGone, match="read-only"):
        replay(journal, engine)
    assert journal.size() == 1
    assert journal.rejected() == []
    journal.close()
    engine.dispose()


def test_entries_stay_while_the_database_is_away_and_go_when_it_is_back(
    journal: Journal, own_postgres: PostgresServer
) -> None:
    engine = open_database(own_postgres.new_database(TEMPLATE), answer_s=0.2)
    for number in range(150):
        journal.append(_facts(number))
    journal.flush()
    own_postgres.kill()
    with pytest.raises(DatabaseGone):
        replay(journal, engine)
    assert journal.size() == 150
    own_postgres.start()
    own_postgres.freeze()
    with pytest.raises(DatabaseGone):
        replay(journal, engine)
    assert journal.size() == 150
    own_postgres.resume()
    assert replay(journal, engine) == 150
    journal.close()
    engine.dispose()


def test_a_replay_killed_between_writing_and_forgetting_doubles_nothing(journal: Journal, database: Engine) -> None:
    for number in range(3):
        journal.append(_facts(number))
    journal.flush()
    with writing(database) as session:  # what a killed replay leaves: written, not forgotten
        write_call(session, _facts(0))
        write_call(session, _facts(1))
    assert replay(journal, database) == 3
    with reading(database) as session:
        assert session.query(CallRow).count() == 3
    journal.close()


def test_appending_does_not_wait_for_a_locked_file(journal: Journal, tmp_path: Path) -> None:
    journal.append(_facts(0))
    journal.flush()
    holder = sqlite3.connect(tmp_path / "data" / "journal.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for number in range(1, 1000):
        journal.append(_facts(number))  # would take the writer's five seconds each
    assert not journal.flush(0)
    holder.execute("COMMIT")
    holder.close()
    assert journal.close()
    assert len(_numbers(journal)) == 1000
    journal.close()


CLOSED_WHILE_ASKED = """
import sys, threading
from pathlib import Path
from records.journal import Journal
for _ in range(100):
    journal, asking = Journal(Path(sys.argv[1])), threading.Event()
    def ask():
        for _ in range(200):
            journal.size()
            asking.set()
    asker = threading.Thread(target=ask)
    asker.start()
    asking.wait()
    journal.close()
    asker.join()
    journal.close()
"""


def test_closed_while_another_thread_asks_it_takes_nobody_with_it(tmp_path: Path) -> None:
    """SQLite ends the whole process when its connection goes under a thread that uses it."""
    command = [sys.executable, "-c", CLOSED_WHILE_ASKED, str(tmp_path / "journal.db")]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == 0
