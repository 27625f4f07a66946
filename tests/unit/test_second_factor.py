"""Second factors by the vectors of their RFCs, and secrets that only their owner's row opens."""

from __future__ import annotations

from base64 import b32encode
from urllib.parse import parse_qs, urlsplit

import pytest

from records.errors import Refused
from records.sealing import Seal
from records.second_factor import address_of, code_at, new_secret, step_of

SECRET = b32encode(b"12345678901234567890").decode()

# RFC 6238, appendix B, SHA-1; ours are the last six of its eight digits.
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
# RFC 4226, appendix D: the counter's codes.
COUNTED = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")


@pytest.mark.parametrize(("at", "code"), VECTORS.items())
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert code_at(SECRET, at // 30) == code[2:]
    assert step_of(SECRET, code[2:], at) == at // 30


def test_codes_are_those_of_rfc_4226() -> None:
    assert tuple(code_at(SECRET, step) for step in range(10)) == COUNTED


@pytest.mark.parametrize(("seconds", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_differ_by_half_a_minute_and_not_by_more(seconds: int, taken: bool) -> None:
    now = 1111111109
    assert (step_of(SECRET, code_at(SECRET, now // 30), now + seconds) is not None) is taken


def test_a_code_is_taken_only_after_the_one_that_was_taken_last() -> None:
    now = 1111111109
    code, next_code = code_at(SECRET, now // 30), code_at(SECRET, now // 30 + 1)
    assert step_of(SECRET, code, now, after=now // 30) is None
    assert step_of(SECRET, next_code, now, after=now // 30) == now // 30 + 1


@pytest.mark.parametrize("typed", ["", "0", "050470", "0504711", "abcdef", "٠٥٠٤٧١", "05047\x00", "💥" * 6])
def test_anything_else_is_no_code(typed: str) -> None:
    assert step_of(SECRET, typed, 1111111111) is None


def test_a_code_may_be_typed_in_groups() -> None:
    assert step_of(SECRET, " 050 471 ", 1111111111) is not None


def test_the_address_for_the_telephone_says_whose_it_is() -> None:
    address = urlsplit(address_of(SECRET, "dara", "Ringcard Mekong & Söhne"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/Ringcard%20Mekong%20%26%20S%C3%B6hne:dara"
    assert parse_qs(address.query) == {"secret": [SECRET], "issuer": ["Ringcard Mekong & Söhne"]}


def test_every_secret_is_new_and_as_long_as_the_hash_that_uses_it() -> None:
    assert len(new_secret()) == 32
    assert new_secret() != new_secret()


def test_what_is_sealed_opens_only_with_the_same_secret_for_the_same_purpose_and_person() -> None:
    seal = Seal("a secret", "second factors")
    sealed = seal.close(SECRET, "user 1")
    assert SECRET not in sealed
    assert sealed != seal.close(SECRET, "user 1")
    assert Seal("a secret", "second factors").open(sealed, "user 1") == SECRET
    for other, about in (
        (seal, "user 2"),
        (Seal("another secret", "second factors"), "user 1"),
        (Seal("a secret", "something else"), "user 1"),
    ):
        with pytest.raises(Refused, match=r"was desk\.secret changed"):
            other.open(sealed, about)
    for broken in ("", "x", sealed[:-4], "é"):
        with pytest.raises(Refused):
            seal.open(broken, "user 1")


def test_nothing_is_sealed_with_an_empty_secret() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        Seal("", "second factors")
