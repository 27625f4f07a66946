"""A directory as a source of customers, with a real server: what is read of it, and what is said when it cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from config.settings import Source
from records.database import writing
from records.errors import Refused
from records.intake.imports import Intake
from records.sources import ldap_rows, runs
from records.tables import SourceRow
from tests.contract.test_sources import counts, known, one, read_number
from tests.fixtures.slapd import ADMIN, BASE, PASSWORD, Directory


@pytest.fixture
def intake(sqlite_database: Engine, tmp_path: Path) -> Intake:
    return Intake(sqlite_database, tmp_path, read_number)


@pytest.fixture
def source(directory: Directory) -> Source:
    return Source("ldap", url=directory.url, base=BASE, bind_dn=ADMIN, password=PASSWORD)


def test_a_directory_is_followed(
    intake: Intake, directory: Directory, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ldap_rows, "PAGE", 2)  # of which there are several then
    directory.put(
        "Sok Dara",
        telephoneNumber=["+855 12 345 678", "023 988 710"],
        mobile="012 777 888",
        o="Rice Mill",
        mail="dara@mill.example",
        postalAddress="18 Street 271 $ Phnom Penh",
    )
    for number in range(4):
        directory.put(f"Client {number}", telephoneNumber=f"01299900{number}")
    directory.put("Without", mobile="012555555")  # the filter asks for a telephoneNumber
    assert counts(runs.run(intake, "directory", source)) == (5, 0, 0, 0)
    dara = one(intake.database, "Sok Dara")
    assert (dara.company, dara.email, dara.address) == ("Rice Mill", "dara@mill.example", "18 Street 271, Phnom Penh")
    assert len(dara.external_id or "") == 36, "its entryUUID"
    assert known(intake.database, "directory")["Sok Dara"] == ["+85512345678", "+85523988710", "+85512777888"]

    directory.change("Client 1", telephoneNumber="012999111")
    directory.remove("Client 2")
    assert counts(runs.run(intake, "directory", source)) == (0, 1, 0, 0), "what is gone is seen when all is read"
    with writing(intake.database) as session:
        session.execute(update(SourceRow).values(full_at=datetime.now(UTC) - timedelta(days=2)))
    assert counts(runs.run(intake, "directory", source)) == (0, 0, 1, 0)
    assert known(intake.database, "directory")["Client 1"] == ["+85512999111"]

    assert runs.run(intake, "directory", replace(source, columns={"o": "-"})).rows == 4, "asked otherwise: all is read"
    nobody = replace(source, columns={"employeeNumber": "external_id", "entryUUID": "-"})
    with pytest.raises(Refused, match="it is empty, and its 4 customers are known here"):
        runs.run(intake, "directory", nobody)


def test_a_directory_that_is_gone_or_does_not_let_us_in_changes_nothing(
    intake: Intake, directory: Directory, source: Source
) -> None:
    directory.put("Sok Dara", telephoneNumber="012345678")
    runs.run(intake, "directory", source)
    with pytest.raises(Refused, match="invalidCredentials"):
        runs.run(intake, "directory", replace(source, password="wrong"))
    with pytest.raises(Refused, match="noSuchObject"):
        runs.run(intake, "directory", replace(source, base=f"ou=nowhere,{BASE}"))
    directory.stop()
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        runs.run(intake, "directory", source)
    assert known(intake.database, "directory") == {"Sok Dara": ["+85512345678"]}
    directory.start()
    assert counts(runs.run(intake, "directory", source)) == (0, 0, 0, 0)


def test_tls_is_spoken_with_whom_we_trust_alone(intake: Intake, directory: Directory, source: Source) -> None:
    directory.put("Sok Dara", telephoneNumber="012345678")
    for way in (replace(source, url=directory.tls_url), replace(source, start_tls=True)):
        with pytest.raises(Refused, match="certificate"):
            runs.run(intake, "directory", way)
        assert runs.run(intake, "directory", replace(way, ca_file=str(directory.ca_file))).rows == 1
        runs.forget(intake, "directory")
