"""A phone's address opens what it was made for, for its time, and nothing else."""

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.card import Card
from lookup.links import Kind, Link, addresses, make, read

SECRET = "a secret of the company"
CALL = "5f0c2f0e-8f3a-5c1e-9a51-0d6d7a3c9b11"
NOW = 1_800_000_000

kinds: st.SearchStrategy[Kind] = st.sampled_from(["card", "photo", "vcard"])
call_ids = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=64)


@given(kinds, st.integers(0, 10**18), call_ids, st.integers(NOW + 1, NOW + 10**6))
def test_a_token_says_what_it_was_made_for(kind: Kind, customer_id: int, call_id: str, expires_at: int) -> None:
    token = make(SECRET, kind, customer_id, call_id, expires_at)
    assert read(SECRET, token, NOW) == Link(kind, customer_id, call_id, expires_at)
    assert quote(token) == token
    assert len(token) < 130


def test_a_token_ends_at_its_moment() -> None:
    token = make(SECRET, "card", 7, CALL, NOW)
    assert read(SECRET, token, NOW - 0.001)
    assert read(SECRET, token, NOW) is None


def test_another_secret_opens_nothing() -> None:
    token = make(SECRET, "card", 7, CALL, NOW)
    assert read("another", token, 0) is None
    assert read("", token, 0) is None


@given(st.data(), st.characters())
def test_a_token_changed_in_one_place_opens_nothing(data: st.DataObject, char: str) -> None:
    token = make(SECRET, "card", 7, CALL, NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + char + token[at + 1 :]
    assert (read(SECRET, changed, 0) is None) == (changed != token)


@given(st.text(max_size=150))
def test_no_text_makes_reading_fail(token: str) -> None:
    assert read(SECRET, token, 0) is None


@pytest.mark.parametrize("end", ["", "\n", " ", "=", ".jpg"])
def test_only_the_whole_token_counts(end: str) -> None:
    token = make(SECRET, "photo", 7, CALL, NOW) + end
    assert (read(SECRET, token, 0) is None) == bool(end)


def test_a_link_to_the_card_does_not_open_the_photo() -> None:
    card = make(SECRET, "card", 7, CALL, NOW)
    assert read(SECRET, "p" + card[1:], 0) is None


@pytest.mark.parametrize(
    ("secret", "call_id", "customer_id"),
    [
        ("", CALL, 7),
        (SECRET, "a.b", 7),
        (SECRET, "", 7),
        (SECRET, "a/../b", 7),
        (SECRET, "x" * 65, 7),
        (SECRET, CALL, -1),
    ],
)
def test_what_cannot_be_signed_safely_is_refused(secret: str, call_id: str, customer_id: int) -> None:
    with pytest.raises(ValueError, match="link"):
        make(secret, "card", customer_id, call_id, NOW)


def test_the_addresses_are_under_the_public_url() -> None:
    made = addresses("https://desk.example/ring/", SECRET, Card(7, 1, "Sok Dara", photo="ab12"), CALL, NOW)
    wanted = (("card", made.card, "c", ""), ("photo", made.photo, "p", ".jpg"), ("vcard", made.vcard, "v", ".vcf"))
    for kind, address, folder, ending in wanted:
        parts = re.fullmatch(rf"https://desk\.example/ring/{folder}/(.+){re.escape(ending)}", address)
        assert parts
        assert read(SECRET, parts[1], 0) == Link(kind, 7, CALL, NOW)  # type: ignore[arg-type]


def test_a_customer_without_a_picture_has_no_address_of_one() -> None:
    assert addresses("http://desk", SECRET, Card(7, 1, "Sok Dara"), CALL, NOW).photo == ""
