"""`ringcard init` on an Asterisk that has a company's dialplan and nothing of Ringcard: then a call has a name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringcard.lab import Lab
from ringcard.phones import Phone, call
from tests.company import DIRECT, Company
from tests.ports import port

PORT = port(18780)
OURS = ("app_stasis.so", "func_cut.so", "func_dialplan.so", "func_timeout.so", "cel_custom.so", "res_cdrel_custom.so")


class BareLab(Lab):
    """As a company has it before Ringcard comes; its ARI has a user of another program."""

    def _write_configuration(self) -> None:
        super()._write_configuration()
        etc = self.dir / "etc"
        user = f"[{self.ari_user}]\ntype = user\npassword_format = plain\npassword = {self.password}\n"
        (etc / "ari.conf").write_text(f"[general]\nenabled = yes\n{user}")
        for name in ("cel.conf", "cel_custom.conf"):
            (etc / name).unlink()
        self._without("modules.conf", *OURS)
        self._without("extensions.conf", "RINGCARD_BEFORE", "include")
        self._without("pjsip.conf", "taskprocessor_overload_trigger")
        pjsip = etc / "pjsip.conf"
        pjsip.write_text(pjsip.read_text().replace("context = ringcard-inbound", "context = company-inbound"))

    def _without(self, name: str, *words: str) -> None:
        path = self.dir / "etc" / name
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not any(word in line for word in words)))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    lab = BareLab(ring_s=3)
    lab.ari_user = "dialler"
    with lab:
        lab.ari_user = "ringcard"  # who is not known yet
        made = Company(lab, tmp_path, PORT)
        made.hire("sam", "Sam Reception", "102")
        try:
            yield made
        finally:
            made.close()
        assert made.mistakes() == []


def ringcard(company: Company, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ringcard.cli", "--config", str(company.file), *words]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


def init(company: Company, *words: str) -> subprocess.CompletedProcess[str]:
    program = " ".join(company.lab.asterisk.command)
    return ringcard(company, "init", "--asterisk", str(company.lab.dir / "etc"), "--program", program, *words)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


async def test_what_it_shows_is_written_read_by_asterisk_and_enough_for_a_named_call(company: Company) -> None:
    etc, number = company.lab.dir / "etc", company.customer("Sok Dara")
    before = texts(etc)
    asked = init(company, "--trunk", "trunk")
    assert (asked.returncode, "start it again with --yes" in asked.stdout) == (1, True), asked.stderr
    assert texts(etc) == before
    assert "+context = ringcard-inbound" in asked.stdout
    assert company.lab.password not in asked.stdout

    async with Phone(company.lab, "102") as reception:
        done = init(company, "--trunk", "trunk", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert (await call(company.lab, number, DIRECT)).status == 200  # nothing of Ringcard runs
        company.start("")
        await company.listening()
        await company.desk_ready()
        assert (await call(company.lab, number, DIRECT)).status == 200
        assert [invite.name for invite in reception.invites] == ["", "Sok Dara"]
        doctor = ringcard(company, "doctor")
        assert doctor.returncode == 0, doctor.stdout
        assert "own record" in doctor.stdout

    for name, text in before.items():
        kept = etc / f"{name}.before-ringcard"
        assert not kept.exists() or kept.read_text() == text
    again = init(company, "--trunk", "trunk", "--yes")
    assert again.returncode == 0
    assert "has all that Ringcard needs" in again.stdout, again.stdout


async def test_what_cannot_be_done_is_said_and_nothing_is_written(company: Company, tmp_path: Path) -> None:
    before = texts(company.lab.dir / "etc")
    unknown = init(company, "--trunk", "nobody", "--yes")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no endpoint 'nobody'" in unknown.stderr
    assert "trunk (its calls go to company-inbound)" in unknown.stderr
    elsewhere = ringcard(company, "init", "--asterisk", str(tmp_path))
    assert "has no asterisk.conf; name Asterisk's folder with --asterisk" in elsewhere.stderr
    assert texts(company.lab.dir / "etc") == before
