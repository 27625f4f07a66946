"""Where the lab's Asterisk comes from, and what is said when it cannot come."""

from pathlib import Path

import pytest

from ringcard import private_asterisk
from ringcard.private_asterisk import AsteriskMissing, find_asterisk

REFUSED = "E: The repository 'http://mirror.invalid/debian forky Release' does not have a Release file."


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("RINGCARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(private_asterisk, "SBIN", ())
    monkeypatch.setattr("platform.freedesktop_os_release", debian)
    return folder


def debian() -> dict[str, str]:
    return {"ID": "debian", "VERSION_CODENAME": "bookworm"}


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_archive_that_refuses_is_named_and_leaves_no_half_made_copy(programs: Path, tmp_path: Path) -> None:
    uris = "'http://mirror.invalid/debian/dists/bookworm/InRelease' mirror.invalid_InRelease 0"
    program(programs, "apt-config", "echo")
    program(
        programs, "apt-get", f'case "$*" in *--print-uris*) echo "{uris}";; *) echo "{REFUSED}" >&2; exit 100;; esac'
    )
    said: list[str] = []
    with pytest.raises(AsteriskMissing) as refusal:
        find_asterisk(said.append)
    assert REFUSED in str(refusal.value)
    assert "install Asterisk 18 or newer by hand" in str(refusal.value)
    assert any("Debian forky" in line for line in said)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["asterisk.lock"]


def test_a_machine_that_is_not_debian_is_told_to_install_asterisk(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "fedora"})
    with pytest.raises(AsteriskMissing, match="this is not Debian: install Asterisk 18 or newer by hand"):
        find_asterisk(lambda line: None)


def test_an_asterisk_on_path_is_taken_when_it_is_new_enough(programs: Path, tmp_path: Path) -> None:
    for folder in ("lib/x86_64-linux-gnu/asterisk/modules", "share/asterisk/rest-api"):
        (tmp_path / folder).mkdir(parents=True)
    program(programs, "asterisk", "echo Asterisk 20.6.0~dfsg")
    found = find_asterisk(lambda line: None)
    assert (found.command, found.major) == ((str(programs / "asterisk"),), 20)
    program(programs, "asterisk", "echo Asterisk 16.28.0")
    with pytest.raises(AsteriskMissing):
        find_asterisk(lambda line: None)
