"""The throw-away PBX and its telephones, which all other tests with calls stand on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringcard.lab import Lab, LabError, introduction
from ringcard.phones import Dialled, Phone, call, load
from tests.fixtures.lab import Phones


def test_two_labs_stand_side_by_side_and_leave_nothing() -> None:
    with Lab() as one, Lab() as other:
        assert one.address != other.address
        assert (one.ari("GET", "asterisk/ping")[0], other.ari("GET", "asterisk/ping")[0]) == (200, 200)
        assert one.errors() == other.errors() == []
        folder, pid = one.dir, one.pid
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def command_line(pid: str) -> bytes:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_bytes() if path.exists() else b""


def test_a_lab_says_which_asterisk_it_is_and_how_to_reach_it(standing_lab: Lab) -> None:
    text = introduction(standing_lab)
    assert standing_lab.version.split(".")[0].isdigit()
    assert all(part in text for part in (standing_lab.version, standing_lab.ari_url, standing_lab.password))


def test_a_taken_number_is_refused_with_the_address_named(standing_lab: Lab) -> None:
    with pytest.raises(LabError, match=rf"127\.0\.{standing_lab.number}\.1.* is taken"):
        Lab(standing_lab.number)


def test_a_lab_whose_owner_was_killed_is_cleared_away_by_the_next() -> None:
    seldom_taken = 50 + os.getpid() % 50  # by other runs on this machine: they begin at the lowest
    script = (
        f"import time; from ringcard.lab import Lab; lab = Lab({seldom_taken}).start();"
        "print(lab.number, lab.dir, lab.pid, flush=True); time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        number, folder, pid = owner.stdout.readline().split()
        owner.kill()
    assert Path(folder).exists()
    with Lab(int(number)) as heir:
        assert heir.number == int(number)
        assert not Path(folder).exists()
        assert folder.encode() not in command_line(pid)


async def test_a_wrong_ari_password_is_refused(lab: Lab) -> None:
    right, lab.password = lab.password, "wrong"
    try:
        assert lab.ari("GET", "channels")[0] == 401
    finally:
        lab.password = right
    assert lab.ari("GET", "channels")[0] == 200


async def test_registrations_survive_a_restart(lab: Lab, phones: Phones) -> None:
    phone = await phones("101")
    lab.restart()
    assert (await call(lab, way="plain")).status == 200
    assert len(phone.invites) == 1


async def test_a_name_arrives_byte_for_byte(lab: Lab, phones: Phones) -> None:
    phone = await phones("101")
    for name in ("Sok Dara", "សុខ ដារ៉ា", "Пётр Ёлкин", "سارة"):
        await call(lab, name=name, way="plain")
        assert phone.invites[-1].name == phone.invites[-1].asserted_name == name


@pytest.mark.parametrize(
    ("manner", "status"),
    [("answer", 200), ("busy", 486), ("decline", 403), ("ignore", 487)],  # Asterisk makes 403 of a phone's 603
)
async def test_a_telephone_does_as_its_manner_is(lab: Lab, phones: Phones, manner: str, status: int) -> None:
    phone = await phones("101", manner, ring_s=0.1)  # type: ignore[arg-type]
    outcome = await call(lab, way="plain", give_up_s=0.5)
    assert (outcome.status, len(phone.invites)) == (status, 1)
    assert 180 in outcome.provisional


async def test_either_side_hangs_up(lab: Lab, phones: Phones) -> None:
    phone = await phones("101", talk_s=0.2)
    callee_ended = await call(lab, way="plain", talk_s=None)
    assert (callee_ended.hung_up_by, callee_ended.status) == ("callee", 200)
    caller_ended = await call(lab, way="plain", talk_s=0.05)
    assert caller_ended.hung_up_by == "caller"
    assert len(phone.invites) == 2


async def test_many_calls_are_told_apart(lab: Lab, phones: Phones) -> None:
    phone = await phones("101")
    calls = [Dialled(number=f"+8551200{n:04}", name=f"Caller {n}") for n in range(60)]
    outcomes = await load(lab, calls, rate=30, way="plain", talk_s=0.2)
    assert [outcome.dialled for outcome in outcomes] == calls
    assert {outcome.status for outcome in outcomes} == {200}
    arrived = {invite.number: invite for invite in phone.invites}
    assert all(arrived[o.dialled.number].name == o.dialled.name for o in outcomes)
    assert all(abs(arrived[o.dialled.number].at - o.invited_at) < 5 for o in outcomes)  # one clock, one time zone


async def test_calls_one_by_one_never_overlap(lab: Lab, phones: Phones) -> None:
    await phones("101")
    calls = [Dialled(f"+8551278{i:04}", "+85523900003") for i in range(5)]
    outcomes = await load(lab, calls, rate=30, way="plain", talk_s=0.2, one_by_one=True)
    over = [outcome.invited_at + (outcome.answer_s or 0) + (outcome.talk_s or 0) for outcome in outcomes]
    assert all(ended < after.invited_at for ended, after in zip(over, outcomes[1:], strict=False))


async def test_the_forms_of_a_withheld_number_reach_asterisk(lab: Lab, phones: Phones) -> None:
    phone = await phones("101")
    for form in ("anonymous", "privacy", "empty"):
        await call(lab, number="+85512345678", way="plain", withheld=form)
    anonymous, privacy, empty = phone.invites
    assert (anonymous.number, anonymous.asserted_number) == ("anonymous", "anonymous")
    assert (privacy.asserted_number, privacy.header("Privacy")) == ("+85512345678", "id")
    assert empty.asserted_number == ""


async def test_a_telephone_that_was_taken_away_is_not_rung(lab: Lab) -> None:
    async with Phone(lab, "101"):
        pass
    assert "101@" not in lab.cli("pjsip show contacts")
