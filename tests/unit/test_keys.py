"""ringcard/keys.py: secrets that make themselves."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Desk, Settings, SettingsError, Store
from ringcard.keys import with_keys


def settings(folder: Path) -> Settings:
    return replace(Settings(), store=Store(data_dir=str(folder / "data")))


def test_a_secret_is_made_once_and_found_again(tmp_path: Path) -> None:
    first, second = with_keys(settings(tmp_path)), with_keys(settings(tmp_path))
    assert first == second
    assert len(first.desk.secret) > 40
    assert first.desk.secret != first.desk.dialplan_token


def test_only_our_user_can_read_it(tmp_path: Path) -> None:
    with_keys(settings(tmp_path))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()} == {0o600}


def test_who_only_looks_makes_none(tmp_path: Path) -> None:
    assert with_keys(settings(tmp_path), make=False).desk.secret == ""
    assert not (tmp_path / "data").exists()
    made = with_keys(settings(tmp_path))
    assert with_keys(settings(tmp_path), make=False) == made


def test_one_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data" / "desk.secret").mkdir(parents=True)
    for make in (True, False):
        with pytest.raises(SettingsError, match=r"cannot read .*desk\.secret .*be the user that Ringcard runs as"):
            with_keys(settings(tmp_path), make=make)


def test_a_secret_of_the_company_is_left_as_it_is(tmp_path: Path) -> None:
    own = replace(settings(tmp_path), desk=Desk(secret="s", dialplan_token="t"))
    assert with_keys(own) == own
    assert not (tmp_path / "data").exists()


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(with_keys(settings(tmp_path)).desk.secret)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match=r"let this user write there, or set store\.data_dir"):
        with_keys(settings(tmp_path))
