"""Raw digits and a trunk's number plan -> the keys to look up.

The same phone is written in many ways, and the same digits are different phones on different trunks. `read` tries the
readings that a trunk's plan allows, most believable first, and keeps the first that is a valid number somewhere in the
world; `match_key` is that number in E.164, with the spellings of one phone folded into one. phonenumbers knows the
countries; the rules written out here are those that it does not have, each with its reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from config.settings import Trunk
from lookup import reasons
from lookup.answers import Caller, Number

NORM_VERSION = 1
"""Grows when a rule here changes what is stored, so that stored keys can be made again."""

LONGEST = 64  # characters read; no number is longer, and time to parse grows with the length
MEMORY = 16_384  # numbers remembered as read; a day's repeat callers

# Without it phonenumbers shares Python's 512 compiled patterns among all countries and compiles anew for most calls
# of a mixed day (200 us instead of 18).
phonenumbers.enable_pattern_cache()


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """How numbers are written on one trunk."""

    country: str  # ISO 3166-1 alpha-2
    area_code: str = ""
    dial_prefixes: tuple[str, ...] = ()  # longest first
    double_zero: bool = True


def plan_of(trunk: Trunk, company_country: str) -> NumberPlan:
    prefixes = sorted({re.sub(r"\D", "", prefix) for prefix in trunk.dial_prefixes} - {""}, key=lambda p: (-len(p), p))
    area_code = re.sub(r"\D", "", trunk.area_code)
    return NumberPlan(trunk.country or company_country, area_code, tuple(prefixes), trunk.double_zero)


def read(raw: str, plan: NumberPlan) -> Number:
    """The number in `raw`, whatever `raw` is; never raises.

    `match_key` is set when the number is valid. `tail` is set whenever there are digits enough for the probable tier.
    With neither there is nothing to look up: an extension, a service code, words.
    """
    return _read(raw[:LONGEST], plan)


def forget() -> None:
    """Forget every number read so far; for measurements."""
    _read.cache_clear()


def warm() -> None:
    """Load the metadata of every country now (about 0.15 s), not during the first call from each."""
    phonenumbers.PhoneMetadata.load_all()
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(country)
        if example:
            _valid(example)


def example(country: str) -> str:
    """A mobile number of this country as nobody need have it, in E.164; empty where none is known."""
    number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else ""


# --- withheld ---

_HIDDEN = {"anonymous", "restricted", "withheld", "private"}
_NOT_PASSED_ON = {"", "unknown", "unavailable"}


def withheld(caller: Caller) -> str:
    """Why this caller must not be looked up, or "".

    Three forms arrive: an anonymous From (RFC 3323), a number with a presentation that forbids it (`Privacy: id` beside
    P-Asserted-Identity), and no user at all. A *name* like "UNKNOWN" or "PRIVATE" is what some networks send beside an
    open number, so of the names only RFC 3323's own "Anonymous" counts.
    """
    user = _user_part(caller.number[:LONGEST]).strip(" \t<>\"'").lower()
    presentation = caller.presentation.lower()
    if presentation.startswith("prohib") or user in _HIDDEN or "anonymous.invalid" in caller.number[:LONGEST].lower():
        return reasons.WITHHELD
    if presentation == "unavailable" or user in _NOT_PASSED_ON:
        return reasons.NO_NUMBER
    if caller.name.strip(" \t\"'").lower() == "anonymous":
        return reasons.ANONYMOUS
    return ""


# --- reading ---


@lru_cache(MEMORY)
def _read(raw: str, plan: NumberPlan) -> Number:
    text, ext = _written(raw)
    guess: PhoneNumber | None = None
    for reading in _readings(text, plan) if text else ():
        plain = _as_it_stands(reading, plan.country)
        if plain is not None and (valid := _valid(plain)):
            return _validated(raw, *valid, ext)
        parsed = _parsed(reading, plan.country)
        if parsed is None:
            continue
        valid = _valid(parsed)
        if valid:
            return _validated(raw, *valid, ext)
        if guess is None and phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE:
            guess = parsed
    return _unsure(raw, text, guess, ext)


def _validated(raw: str, number: PhoneNumber, country: str, ext: str) -> Number:
    code, national = _parts(number)
    e164 = f"+{code}{national}"
    match_key = folded(e164)
    return Number(
        raw=raw,
        e164=e164,
        match_key=match_key,
        tail=_tail(match_key.removeprefix(f"+{code}")),
        ext=ext,
        country="" if country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else country,
        rules=NORM_VERSION,
    )


def _unsure(raw: str, text: str, guess: PhoneNumber | None, ext: str) -> Number:
    """Not a valid number: its last digits may still be those of one customer.

    A number that is not even possible here keeps its tail too: it is how a national number looks when it comes in on a
    trunk of another country.
    """
    if guess is None:
        digits = text.rpartition("+")[2].lstrip("0")
        return Number(raw, "", "", tail=_tail(digits) if len(digits) <= 15 else "", ext=ext, rules=NORM_VERSION)
    code, national = _parts(guess)
    return Number(raw, f"+{code}{national}", "", tail=_tail(national), ext=ext, rules=NORM_VERSION)


def _tail(national: str) -> str:
    """The last nine digits, or all eight. Fewer are shared by too many: with seven, one stranger in eight would be
    taken for one of 1.5 million customers; with nine, none was."""
    return national[-9:] if len(national) >= 8 else ""


def _readings(text: str, plan: NumberPlan) -> Iterator[str]:
    """What `text` (digits, perhaps with a plus) may mean: "+..." or a national number, most believable first.

    What the trunk's plan says about prefixes comes before the guess that a plus was lost, because one is known and the
    other is not.
    """
    before, plus, digits = text.rpartition("+")
    if before:
        if before in plan.dial_prefixes:
            yield "+" + digits
        return
    if plus and not digits.startswith("0"):  # no country code begins with 0: such a plus was glued on
        yield "+" + digits
        if plan.country in ("RU", "KZ") and re.fullmatch(r"8\d{10}", digits):
            yield "+7" + digits[1:]  # the trunk prefix 8 with a plus glued on
        return
    if plan.double_zero and digits.startswith("00"):
        # Before phonenumbers sees it: in Cambodia "00" is no international prefix, and 00 855 12 345 678 would
        # become a number of Brazil.
        yield "+" + digits[2:]
    code, trunk_prefix = _codes(plan.country)
    if trunk_prefix and digits.startswith(code) and not digits.startswith(trunk_prefix):
        # In Germany 49 151... is +49 151 sooner than area 4915 without its 0. Not in Italy, where nothing is dialled
        # before a national number and 391... is a mobile.
        yield "+" + digits
    yield digits
    for prefix in plan.dial_prefixes:
        if digits.startswith(prefix) and digits != prefix:
            yield from _readings(digits[len(prefix) :], replace(plan, dial_prefixes=()))
    if plan.area_code and len(digits) >= 5 and not digits.startswith("0"):
        yield plan.area_code + digits
    if len(digits) >= 8:  # seven are a local number of the trunk's country sooner than a foreign one without its plus
        yield "+" + digits


@lru_cache(512)
def _codes(country: str) -> tuple[str, str]:
    """A country's own code and the digits that are dialled there before a national number."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    return (str(metadata.country_code), metadata.national_prefix or "") if metadata else ("", "")


def _as_it_stands(text: str, country: str) -> PhoneNumber | None:
    """Digits after a plus, or after what is dialled before a national number, with nothing else looked for in them.

    Nearly every call comes like that. When it is valid so, phonenumbers reads the same out of it (held by tests over
    all countries) in several times the time. Digits that go on with a 0 are left to it.
    """
    if text.startswith("+"):
        for size in (1, 2, 3):
            code = text[1 : 1 + size]
            if code and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
                return _number(int(code), text[1 + size :])
        return None
    plain = _plain_prefix(country)
    if plain is None or not text.startswith(plain[1]) or plain[2].match(text):
        return None
    return _number(plain[0], text[len(plain[1]) :])


def _number(code: int, national: str) -> PhoneNumber | None:
    return PhoneNumber(code, int(national)) if national and national[0] != "0" else None


@lru_cache(512)
def _plain_prefix(country: str) -> tuple[int, str, re.Pattern[str]] | None:
    """A country's code, what is dialled there before national and what before foreign numbers; None: by other rules."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if not metadata or not metadata.national_prefix or metadata.national_prefix_transform_rule:
        return None
    if metadata.national_prefix_for_parsing != metadata.national_prefix or not metadata.international_prefix:
        return None
    return metadata.country_code or 0, metadata.national_prefix, re.compile(metadata.international_prefix)


def _parsed(text: str, country: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(_without_mexican_prefix(text, country), country)
    except NumberParseException:
        return None


def _parts(number: PhoneNumber) -> tuple[int, str]:
    """The country code (0: none) and the national number, with the zeros that belong to it."""
    return number.country_code or 0, phonenumbers.national_significant_number(number)


def _valid(number: PhoneNumber) -> tuple[PhoneNumber, str] | None:
    """The number, or its form of today, with its country; None when it is valid nowhere."""
    for form in (number, *_forms_of_today(number)):
        country = phonenumbers.region_code_for_number(form)
        if country and phonenumbers.is_valid_number_for_region(form, country):
            return form, country
    return None


# --- rules of countries that phonenumbers leaves to us ---


def _without_mexican_prefix(text: str, country: str) -> str:
    """Mexico dropped 1 (from abroad), 01, 044 and 045 (at home) in 2019; address books keep them."""
    if text.startswith("+52"):
        return re.sub(r"^\+52(?:1|01|044|045)(\d{10})$", r"+52\1", text)
    if country == "MX":
        return re.sub(r"^(?:1|01|044|045)(\d{10})$", r"\1", text)
    return text


def _forms_of_today(number: PhoneNumber) -> Iterator[PhoneNumber]:
    code, national = _parts(number)
    if code == 39 and not number.italian_leading_zero and not national.startswith("3"):
        # Italy: the 0 of a fixed line is part of the number and often lost; mobiles (3...) have none.
        yield PhoneNumber(39, number.national_number, italian_leading_zero=True)
    if code == 55 and re.fullmatch(r"\d\d[6-9]\d{7}", national):
        # Brazil: mobiles got a ninth digit, a 9 in front. It is added to the old form, not dropped from the new one:
        # without it 11 93123-4567 would be the fixed line 11 3123-4567.
        yield PhoneNumber(55, int(f"{national[:2]}9{national[2:]}"))


def folded(e164: str) -> str:
    """The match_key of a valid number.

    Argentina: +54 9 11... (a mobile, called from abroad) and +54 11... are both valid and one phone.
    """
    return f"+54{e164[4:]}" if e164.startswith("+549") and len(e164) == 14 else e164


def unfolded(match_key: str) -> tuple[str, str]:
    """The two E.164 numbers that have this match_key; nearly always they are one."""
    is_folded = match_key.startswith("+54") and len(match_key) == 13
    return match_key, f"+549{match_key[3:]}" if is_folded else match_key


# --- writing ---

_PLAIN = re.compile(r"[0-9]{0,4}\+?[0-9]+")
_EXTENSION = re.compile(
    r"\s*(?:;\s*ext(?:ension)?=|,{1,2}|;|#|~|\b(?:ext(?:ension|n)?|int|anexo|доб|вн)\b\.?:?|x)\s*(\d{1,7})#?$"
)
_BETWEEN = set(" \t()[]./'_~")  # besides every dash


def _written(raw: str) -> tuple[str, str]:
    """The digits (and a plus) that somebody wrote, and the extension; two empty texts for what is no phone number."""
    if _PLAIN.fullmatch(raw):
        return raw, ""
    text = _ascii_digits(_user_part(raw)).strip().lower()
    extension = _EXTENSION.search(text)
    ext = extension[1] if extension else ""
    text = text[: extension.start()] if extension else text
    text = "".join(char for char in text if char not in _BETWEEN and unicodedata.category(char) != "Pd")
    return (text, ext) if _PLAIN.fullmatch(text) else ("", "")


def _user_part(raw: str) -> str:
    """The user of a sip: or tel: address, without its parameters except the extension (RFC 3966); else `raw`."""
    scheme, colon, rest = raw.strip(" <>").partition(":")
    if not colon or scheme.lower() not in ("sip", "sips", "tel"):
        return raw
    user, *parameters = rest.split("@")[0].replace("%2B", "+").replace("%2b", "+").split(";")
    ext = next((p for p in parameters if p.lower().startswith("ext=")), "")
    return f"{user};{ext}" if ext else user


def _ascii_digits(text: str) -> str:
    """Digits of every script as 0-9, full-width signs as plain ones; invisible characters (RTL marks) dropped."""
    kept = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return "".join(str(unicodedata.decimal(char, char)) for char in kept).replace("\u2212", "-")
