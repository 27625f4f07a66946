"""A customer for a phone's address book."""

from datetime import UTC, datetime

from desk import vcard
from records.tables import Customer, PhoneNumber


def a_customer(name: str, company: str = "") -> Customer:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    numbers = [PhoneNumber(raw="012 345 678", e164="+85512345678", label="Mobile", ext="")]
    return Customer(
        id=1, name=name, company=company, email="", numbers=numbers, created_at=now, updated_at=now, debt_minor=5
    )


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def test_name_company_and_numbers_are_in_it() -> None:
    lines = unfolded(vcard.of(a_customer("Sok Rithy", "Angkor, Mills; Co")))
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:3.0"]
    assert "FN:Sok Rithy" in lines
    assert "ORG:Angkor\\, Mills\\; Co" in lines
    assert "TEL;TYPE=CELL:+85512345678" in lines


def test_a_line_break_in_a_name_begins_no_property() -> None:
    lines = unfolded(vcard.of(a_customer("Eve\r\nTEL:+1900\nPREMIUM")))
    assert "FN:Eve TEL:+1900 PREMIUM" in lines
    assert [line for line in lines if line.startswith("TEL")] == ["TEL;TYPE=CELL:+85512345678"]


def test_long_lines_are_folded_between_characters() -> None:
    raw = vcard.of(a_customer("សុខ ចាន់ដារា" * 20)).encode()
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert "FN:" + "សុខ ចាន់ដារា" * 20 in unfolded(raw.decode())
