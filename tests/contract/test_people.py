"""`ringcard user`: what was said wrong of a person can be put right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from config.settings import load
from ringcard.people import without_people


def ringcard(folder: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "ringcard.cli", "--config", str(folder / "ringcard.toml"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_where_nobody_can_sign_in_it_is_said_how_the_first_one_is_made(tmp_path: Path) -> None:
    (tmp_path / "ringcard.toml").write_text(f'[store]\ndata_dir = "{tmp_path / "data"}"\n')
    (tmp_path / "password").write_text("a long password\n")
    settings = load(tmp_path / "ringcard.toml")
    assert without_people(settings) == (
        "Nobody can sign in at the desk yet. Make its database, then the first one: "
        "ringcard migrate; ringcard user add LOGIN 'NAME' --role administrator"
    )
    assert ringcard(tmp_path, "migrate")[0] == 0
    assert "Make the first one an administrator: ringcard user add LOGIN" in without_people(settings)
    secret = ("--password-file", str(tmp_path / "password"))
    assert ringcard(tmp_path, "user", "add", "dara", "Sok Dara", *secret)[0] == 0
    assert "ringcard user change LOGIN --role administrator" in without_people(settings)
    assert ringcard(tmp_path, "user", "change", "dara", "--role", "administrator")[0] == 0
    assert without_people(settings) == ""
    status, said = ringcard(tmp_path, "user", "deactivate", "dara")
    assert (status, "Sok Dara is the last administrator" in said) == (1, True)


def test_a_person_who_was_entered_wrong_is_put_right(tmp_path: Path) -> None:
    (tmp_path / "ringcard.toml").write_text(
        f'[company]\ncountry = "KH"\n[store]\ndata_dir = "{tmp_path / "data"}"\n[nodes.branch]\nari_url = "http://127.0.0.2:8088"\n'
    )
    (tmp_path / "password").write_text("a long password\n")
    secret = ("--password-file", str(tmp_path / "password"))
    assert ringcard(tmp_path, "migrate")[0] == 0
    assert ringcard(tmp_path, "user", "add", "dara", "Sok Daar", "--phone", "109", *secret)[0] == 0
    status, said = ringcard(
        tmp_path, "user", "change", "dara", "--name", "Sok Dara", "--phone", "101", "--team", "sales"
    )
    assert status == 0
    assert said.split() == ["dara", "Sok", "Dara", "agent", "sales", "101"]
    places = ("--phone", "+85512 345 678", "--phone", "branch/204")
    status, said = ringcard(tmp_path, "user", "change", "dara", *places)
    assert (status, said.split()[5:]) == (0, ["branch/204,", "+85512345678"])
    status, said = ringcard(tmp_path, "user", "change", "dara", "--phone", "north/204")
    assert (status, "there is no PBX 'north'; known: pbx, branch" in said) == (1, True)
    status, said = ringcard(tmp_path, "user", "change", "dara", "--phone", "", "--team", "")
    assert (status, said.split()) == (0, ["dara", "Sok", "Dara", "agent", "no", "team", "no", "phone"])
    status, said = ringcard(tmp_path, "user", "change", "nobody", "--role", "agent")
    assert status == 1
    assert "nobody signs in as 'nobody'" in said
    for action in ("sign-out", "no-second-factor"):
        assert ringcard(tmp_path, "user", action, "dara")[0] == 0
        assert ringcard(tmp_path, "user", action, "nobody")[0] == 1
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
