"""`ringcard import` as it is typed: what it says, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from records import users
from records.database import open_database, reading, writing
from records.tables import Customer
from ringcard import cli


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> Path:
    """Settings of a company whose database is migrated."""
    path = tmp_path / "ringcard.toml"
    path.write_text(f'[company]\nname = "Mekong"\ncountry = "KH"\n[store]\ndata_dir = "{tmp_path}"\n')
    path.chmod(0o600)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kunden.csv"
    path.write_text("Kunde,Phone,Shoe size\nA,012345678,43\nB,,44\n")
    return path


def ringcard(config: Path, *words: str | Path) -> int:
    return cli.main(["--config", str(config), "import", *map(str, words)])


def test_a_file_is_tried_imported_listed_and_undone(
    config: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ringcard(config, file, "--map", "Kunde=name", "--dry-run") == 1
    told = capsys.readouterr().out
    assert "1 would be added, 0 would be changed, 0 unchanged." in told
    assert "Columns that were not used: Shoe size." in told
    assert "1 row would not be taken:\n  row 3, 'Phone': B has no phone number" in told
    assert ringcard(config, file) == 1
    assert "no column for the name" in capsys.readouterr().err  # a dry run keeps no mapping

    assert ringcard(config, file, "--map", "Kunde=name") == 1
    assert "Import 1; `ringcard import --undo 1` takes it back.\n1 added, 0 changed" in capsys.readouterr().out
    assert ringcard(config, file) == 1
    assert "0 added, 0 changed, 1 unchanged." in capsys.readouterr().out
    assert ringcard(config, "--mappings") == 0
    assert capsys.readouterr().out == "    1  'Kunde' is name\n"
    assert ringcard(config, "--forget-mapping", "1") == 0

    assert ringcard(config, "--list") == 0
    told = capsys.readouterr().out
    assert "kunden.csv  1 added, 0 changed, 0 unchanged, 1 not taken  done" in told.splitlines()[-1]
    assert ringcard(config, "--undo", "1") == 0
    assert "Import 1 of kunden.csv is undone." in capsys.readouterr().out
    assert ringcard(config, "--undo", "1") == 1
    assert ringcard(config, "--resume") == 1
    assert "no import was interrupted" in capsys.readouterr().err


def test_what_somebody_changed_is_named_by_the_undo(
    config: Path, file: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from records.customers import change_customer

    ringcard(config, file, "--map", "Kunde=name")
    database = open_database(sqlite_url)
    with writing(database) as session:
        change_customer(session, 1, {"note": "mine"})
    database.dispose()
    assert ringcard(config, "--undo", "1") == 1
    told = capsys.readouterr().out
    assert "1 customer stays as somebody has made them since:\n  A (customer 1): was changed since" in told


def test_a_column_fills_a_field_of_the_companys(
    config: Path, file: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = config.read_text()
    own = '[fields.shoes]\ntype = "number"\n[fields.owed]\nsource = "erp.owed"\n[queries.erp]\n'
    config.write_text(f"{plain}{own}url = 'sqlite:///erp.db'\nsql = 'SELECT 1 AS owed WHERE :number = 1'\n")
    assert ringcard(config, file, "--map", "Kunde=name", "--map", "Shoe size=owed") == 1
    assert "'owed' is nothing that a column can be; write one of name," in capsys.readouterr().err
    assert ringcard(config, file, "--map", "Kunde=name", "--map", "Shoe size=shoes") == 1
    assert "1 added" in capsys.readouterr().out
    assert ringcard(config, file) == 1
    assert "1 unchanged" in capsys.readouterr().out
    database = open_database(sqlite_url)
    with reading(database) as session:
        assert session.scalars(select(Customer.custom)).all() == [{"shoes": 43}]
    database.dispose()
    config.write_text(plain)
    assert ringcard(config, file) == 1
    assert "'Shoe size' is 'shoes', which is no field any more; say all" in capsys.readouterr().err


def test_many_are_told_in_the_plural(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "many.csv"
    file.write_text("name,phone\n" + "B,\n" * 60)
    assert ringcard(config, file, "--dry-run") == 1
    told = capsys.readouterr().out
    assert "60 rows would not be taken:" in told
    assert "... and 10 more" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which file?"),
        (["--map", "name", "x.csv"], "write it as 'COLUMN=what it is'"),
        (["--undo", "9"], "there is no import 9"),
        (["--forget-mapping", "9"], "no mapping 9 is kept"),
        (["nothing.csv"], "cannot read nothing.csv"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    config: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ringcard(config, *words) == 1
    assert said in capsys.readouterr().err


def test_two_wishes_at_once_are_a_wrong_command_line(config: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        ringcard(config, "--list", "--undo", "1")
    assert ended.value.code == 2


def test_a_manager_is_known_by_login(config: Path, tmp_path: Path, sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    with writing(database) as session:
        users.add_user(session, "dara", "Dara", "a long password")
    database.dispose()
    file = tmp_path / "c.csv"
    file.write_text("name,phone,manager\nA,012345678,Dara\n")
    assert ringcard(config, file) == 0
