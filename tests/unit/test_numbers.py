"""Every way in which one phone is written leads to one key, and nothing that is written breaks the reading."""

import unicodedata
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from config.settings import Trunk
from lookup import numbers
from lookup.answers import Caller
from lookup.numbers import LONGEST, NumberPlan, folded, plan_of, read, unfolded, withheld

KH = NumberPlan("KH")
KH_PHONE = "+85512345678"


def key(raw: str, country: str = "KH", **plan: object) -> str:
    return read(raw, NumberPlan(country, **plan)).match_key  # type: ignore[arg-type]


# --- every country ---


def example_numbers() -> Iterator[tuple[str, PhoneNumber]]:
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(country, kind)
            if number:
                yield country, number
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        number = phonenumbers.example_number_for_non_geo_entity(code)
        if number:
            yield "KH", number


EXAMPLES = list(example_numbers())


def from_abroad(number: PhoneNumber) -> list[str]:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return [
        e164,
        "00" + e164[1:],
        "+00" + e164[1:],
        phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
        f"sip:{e164}@192.0.2.1:5060;user=phone",
    ]


def test_every_countrys_numbers_of_every_type_are_one_key_in_every_spelling() -> None:
    wrong = []
    for country, number in EXAMPLES:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        wanted = key(e164, country)
        spellings = [(raw, NumberPlan("KH")) for raw in from_abroad(number)]
        spellings += [(e164[1:], NumberPlan(country)), (f"00{e164[1:]}", NumberPlan(country))]
        if number.country_code == phonenumbers.country_code_for_region(country):
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            spellings.append((national, NumberPlan(country)))
        wrong += [(raw, plan, wanted) for raw, plan in spellings if read(raw, plan).match_key != wanted or not wanted]
    assert not wrong


KHMER, ARABIC = (str.maketrans("0123456789", digits) for digits in ("០១២៣៤៥៦៧៨៩", "٠١٢٣٤٥٦٧٨٩"))

WRAPPED = [
    "sip:{}@192.0.2.1",
    "sips:{}@pbx.example:5061;transport=tls",
    "<sip:{}@192.0.2.1;user=phone>",
    "SIP:{}",
    "tel:{}",
    "tel:{};phone-context=example.com",
    " {} ",
    "\u202a{}\u202c",
]


def test_every_countrys_numbers_are_one_key_in_every_address_and_script() -> None:
    """What signalling wraps a number in, and what people write, around the spellings from abroad and at home."""
    wrong = []
    for country, number in EXAMPLES:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        wanted, plan = key(e164, country), NumberPlan(country)
        spellings = [e164, f"00{e164[1:]}"]
        if number.country_code == phonenumbers.country_code_for_region(country):
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            spellings.append("".join(filter(str.isdigit, national)))
        for spelling in spellings:
            written = [form.format(spelling) for form in WRAPPED]
            written += [spelling.translate(KHMER), spelling.translate(ARABIC), f"({spelling[:4]}) {spelling[4:]}"]
            written += ["-".join(spelling), " ".join(spelling), f"tel:{spelling.replace('+', '%2B')}"]
            wrong += [(raw, country, wanted) for raw in written if read(raw, plan).match_key != wanted]
    assert not wrong


def test_digits_for_an_outside_line_are_taken_off_every_countrys_number_from_abroad() -> None:
    wrong, plain, dialled = [], NumberPlan("KH"), NumberPlan("KH", dial_prefixes=("9",))
    for country, number in EXAMPLES:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for raw in (f"9{e164}", f"900{e164[1:]}"):
            if read(raw, plain).match_key:
                continue  # with the 9 it is another phone's number: nothing can tell them apart
            if read(raw, dialled).match_key != key(e164, country):
                wrong.append((raw, key(e164, country)))
    assert not wrong


def test_a_dial_prefix_in_front_of_a_countrys_national_number_is_taken_off() -> None:
    seen = 0
    for country, number in EXAMPLES:
        if number.country_code != phonenumbers.country_code_for_region(country):
            continue
        national = "".join(filter(str.isdigit, phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)))
        if key("9" + national, country):
            continue  # with a 9 in front it is another phone's number: nothing can tell them apart
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        assert key("9" + national, country, dial_prefixes=("9",)) == key(e164, country), (country, national)
        seen += 1
    assert seen > 1000


separators = st.sampled_from(["", " ", "-", ".", "/", "(", ")", "\u00a0", "\u200f", "\u2011", "\t", "\u202a"])


@given(
    st.sampled_from(EXAMPLES), st.lists(separators, min_size=20, max_size=20), st.sampled_from([0x30, 0x660, 0x17E0])
)
def test_punctuation_invisible_marks_and_digits_of_other_scripts_do_not_matter(
    country_and_number: tuple[str, PhoneNumber], between: list[str], zero: int
) -> None:
    country, number = country_and_number
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    digits = [chr(zero + int(digit)) for digit in e164[1:]]
    written = "+" + "".join(separator + digit for digit, separator in zip(digits, between, strict=False))
    assert key(written, country) == key(e164, country)


# --- whatever comes in ---

HOSTILE = [
    "",
    "+",
    "++++",
    "anonymous",
    "<unknown>",
    "1-800-FLOWERS",
    "9" * 300,
    "+1 1 1 1" * 40,
    "\ud800",
    "\x00\x01",
    "+855 12 345 678\r\nX-Injected: yes",
    '"="a" & "1):System(touch FILE',
    "${SHELL(id)}",
    "' OR 1=1 --",
    "012345678/098765432",
    "sip:",
    "tel:;ext=5",
    "sip:;;;@",
    ";ext=5",
    "٠" * 70,
]


@pytest.mark.parametrize("raw", HOSTILE)
@pytest.mark.parametrize("country", ["KH", "US", "MX", "IT", "BR", "ZZ", ""])
def test_what_is_no_number_gives_nothing_to_look_up(raw: str, country: str) -> None:
    number = read(raw, NumberPlan(country, area_code="23", dial_prefixes=("9",)))
    assert (number.match_key, number.tail) == ("", "")


@given(st.text(max_size=80), st.sampled_from(["KH", "US", "MX", "IT", "BR", "AR", "KZ", "ZZ"]))
@example("+" + "1" * 63, "US")
def test_no_text_makes_reading_fail(raw: str, country: str) -> None:
    number = read(raw, NumberPlan(country, area_code="11", dial_prefixes=("9", "0")))
    for made in (number.match_key, number.tail, number.ext, number.e164):
        assert all(char in "+0123456789" for char in made)


@given(st.text(alphabet="+0123456789 -()*#;,x", max_size=40))
def test_nothing_written_with_the_signs_of_numbers_makes_reading_fail(raw: str) -> None:
    number = read(raw, NumberPlan("BR", area_code="11", dial_prefixes=("9", "0")))
    assert number.match_key == "" or number.match_key[0] == "+"


def test_only_the_beginning_of_a_long_text_is_read_and_kept() -> None:
    number = read(KH_PHONE + " " * 60 + "1" * 10_000, KH)
    assert number.match_key == KH_PHONE
    assert len(number.raw) == LONGEST


# --- the trunk's plan ---


@pytest.mark.parametrize("country", ["KH", "RU", "KZ", "US", "AU"])
def test_double_zero_is_a_plus_even_where_the_country_dials_otherwise(country: str) -> None:
    assert key("0085512345678", country) == KH_PHONE


def test_without_our_double_zero_rule_the_countrys_own_international_prefix_holds() -> None:
    assert key("0016561234567", "KH", double_zero=False) == "+6561234567"
    assert key("0085512345678", "KH", double_zero=False) == ""  # never the Brazilian number that it looks like


@pytest.mark.parametrize("raw", ["9012345678", "9 012 345 678", "9+85512345678", "90085512345678", "985512345678"])
def test_digits_for_an_outside_line_are_taken_off(raw: str) -> None:
    assert key(raw, "KH", dial_prefixes=("9",)) == KH_PHONE


def test_a_number_that_is_valid_as_it_stands_keeps_what_looks_like_a_dial_prefix() -> None:
    assert key("092123456", "KH", dial_prefixes=("0", "9")) == "+85592123456"


def test_a_local_number_gets_the_area_code_of_its_trunk() -> None:
    assert key("555-1234", "US", area_code="212") == "+12125551234"
    assert key("98765-4321", "BR", area_code="11") == "+5511987654321"
    assert key("555-1234", "US") == ""


@pytest.mark.parametrize("country", ["KH", "DE", "US", "AT"])
@pytest.mark.parametrize("raw", ["101", "112", "*97", "#31#", "1001", "*97012345678"])
def test_extensions_and_service_codes_are_never_looked_up(raw: str, country: str) -> None:
    number = read(raw, NumberPlan(country, area_code="30"))
    assert (number.match_key, number.tail) == ("", "")


def test_a_local_number_is_not_taken_for_a_small_countrys_number_without_its_plus() -> None:
    assert key("683-4002", "US") == ""  # +683 4002 is a phone in Niue


@pytest.mark.parametrize(
    ("raw", "country", "wanted"),
    [
        ("8613800138000", "HK", "+8613800138000"),
        ("85512345678", "US", KH_PHONE),
        ("4915123456789", "DE", "+4915123456789"),
        ("3912345678", "IT", "+393912345678"),  # a mobile, not +39 12345678
    ],
)
def test_a_lost_plus_is_put_back(raw: str, country: str, wanted: str) -> None:
    assert key(raw, country) == wanted


def test_a_plan_takes_the_companys_country_where_the_trunk_names_none() -> None:
    assert plan_of(Trunk(area_code="(0)23", dial_prefixes=("9", "00 9", "")), "KH") == NumberPlan(
        "KH", "023", ("009", "9"), True
    )
    assert plan_of(Trunk(country="US", double_zero=False), "KH") == NumberPlan("US", double_zero=False)


# --- countries ---


@pytest.mark.parametrize("country", ["RU", "KZ"])
@pytest.mark.parametrize("raw", ["+77011234567", "87011234567", "77011234567", "7011234567", "+87011234567"])
def test_plus_seven_has_five_spellings(raw: str, country: str) -> None:
    assert key(raw, country) == "+77011234567"


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("8 (701) 123-45-67", "KZ"),
        ("8-701-123-45-67", "RU"),
        ("701 123 45 67", "KZ"),
        ("+7 (8701) 123-45-67", "KZ"),
        ("007 701 123 45 67", "KH"),
        ("7 701 123 45 67", "KH"),
    ],
)
def test_a_kazakh_mobile_as_people_write_it(raw: str, country: str) -> None:
    assert key(raw, country) == "+77011234567"


@pytest.mark.parametrize("raw", ["8 10 855 12 345 678", "8~10 855 12 345 678", "00855 12 345 678", "810855012345678"])
@pytest.mark.parametrize("country", ["RU", "KZ"])
def test_what_is_dialled_before_foreign_numbers_is_taken_off(raw: str, country: str) -> None:
    assert key(raw, country) == KH_PHONE


@pytest.mark.parametrize(
    "raw",
    [
        *("012345678", "12 345 678", "855 12 345 678", "855012345678", "+855 (0)12 345 678", "+855 012 345 678"),
        *("00785512345678", "00885512345678", "00185512345678"),  # Cambodia's own prefixes for foreign numbers
        *("០១២ ៣៤៥ ៦៧៨", "+٨٥٥ ١٢ ٣٤٥ ٦٧٨"),
    ],
)
def test_a_cambodian_mobile_as_people_write_it(raw: str) -> None:
    assert key(raw, "KH") == KH_PHONE


def test_plus_eight_stays_what_it_is_outside_plus_seven() -> None:
    assert key("+87011234567", "KH") == ""


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("+39 06 12345678", "KH"),
        ("+39 6 12345678", "KH"),
        ("0039612345678", "KH"),
        ("+39 (0)6 12345678", "KH"),
        ("06 12345678", "IT"),
        ("6 12345678", "IT"),
    ],
)
def test_italys_lost_zero_is_put_back(raw: str, country: str) -> None:
    assert key(raw, country) == "+390612345678"


def test_an_italian_mobile_is_not_given_a_zero() -> None:
    assert key("+39 391 2345678") == "+393912345678"
    assert key("+39 301234") == ""  # too short for a mobile, and 0301234 would be somebody's fixed line


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        *(("+54 9 11 2345 6789", "KH"), ("+54 11 2345 6789", "KH"), ("0054 9 11 2345 6789", "KH")),
        *(("011 15-2345-6789", "AR"), ("11 2345-6789", "AR"), ("54 9 11 2345 6789", "AR")),
    ],
)
def test_argentina_with_and_without_the_mobile_nine_is_one_phone(raw: str, country: str) -> None:
    assert key(raw, country) == "+541123456789"


def test_argentinas_number_is_shown_as_it_came() -> None:
    assert read("+54 9 11 2345 6789", KH).e164 == "+5491123456789"


@given(st.sampled_from(EXAMPLES))
def test_a_key_leads_back_to_every_number_that_has_it(country_and_number: tuple[str, PhoneNumber]) -> None:
    number = read(phonenumbers.format_number(country_and_number[1], PhoneNumberFormat.E164), KH)
    assert number.match_key == folded(number.e164)
    assert number.e164 in unfolded(number.match_key)
    assert {folded(e164) for e164 in unfolded(number.match_key)} == {number.match_key}


def test_only_argentina_has_two_numbers_with_one_key() -> None:
    assert unfolded("+541123456789") == ("+541123456789", "+5491123456789")
    assert unfolded(KH_PHONE) == (KH_PHONE, KH_PHONE)


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("+52 55 1234 5678", "KH"),
        ("+52 1 55 1234 5678", "KH"),
        ("0052 1 55 1234 5678", "KH"),
        ("5215512345678", "KH"),
        ("044 55 1234 5678", "MX"),
        ("045 55 1234 5678", "MX"),
        ("01 55 1234 5678", "MX"),
        ("1 55 1234 5678", "MX"),
        ("55 1234 5678", "MX"),
    ],
)
def test_mexicos_old_prefixes_are_dropped(raw: str, country: str) -> None:
    assert key(raw, country) == "+525512345678"


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("+55 11 98765-4321", "KH"),
        ("+55 11 8765-4321", "KH"),
        ("0 15 11 98765-4321", "BR"),
        ("90 11 98765-4321", "BR"),
        ("(11) 98765-4321", "BR"),
        ("(11) 8765-4321", "BR"),
        ("0 41 11 8765-4321", "BR"),
        ("+55 (011) 98765-4321", "KH"),
    ],
)
def test_brazils_mobiles_of_eight_and_nine_digits_are_one_phone(raw: str, country: str) -> None:
    assert key(raw, country) == "+5511987654321"


def test_a_brazilian_mobile_is_not_folded_into_somebodys_fixed_line() -> None:
    assert key("+55 11 93123-4567") != key("+55 11 3123-4567")


def test_the_universal_free_number_belongs_to_no_country() -> None:
    number = read("+800 1234 5678", KH)
    assert (number.match_key, number.country) == ("+80012345678", "")


def test_a_zero_in_brackets_is_no_part_of_the_number() -> None:
    assert key("+44 (0)20 7946 0000") == "+442079460000"


# --- extensions ---


@pytest.mark.parametrize(
    "raw",
    [
        "+1 212 555 1234 x123",
        "+12125551234x123",
        "+1 (212) 555-1234 ext. 123",
        "+12125551234;ext=123",
        "+12125551234,,123",
        "+12125551234#123",
        "tel:+1-212-555-1234;ext=123",
        "+1 212 555 1234 доб. 123",
    ],
)
def test_an_extension_is_taken_off_and_kept(raw: str) -> None:
    number = read(raw, KH)
    assert (number.match_key, number.ext) == ("+12125551234", "123")


def test_two_numbers_in_one_field_are_not_read_as_a_number_with_an_extension() -> None:
    assert key("012345678, 098765432") == ""


# --- the probable tier ---


def test_a_number_that_is_only_possible_has_a_tail_and_no_key() -> None:
    number = read("+855 55 000 0001", KH)
    assert (number.match_key, number.tail) == ("", "550000001")


def test_a_national_number_on_a_trunk_of_another_country_keeps_the_tail_of_the_real_one() -> None:
    stray = read("012 345 678", NumberPlan("US"))
    assert stray.match_key == ""
    assert stray.tail == read(KH_PHONE, KH).tail == "12345678"


def test_fewer_than_eight_digits_are_no_tail() -> None:
    assert read("5551234", NumberPlan("US")).tail == ""
    assert read("+683 4002", KH).tail == ""


@given(st.sampled_from(EXAMPLES))
def test_a_tail_is_the_end_of_the_key(country_and_number: tuple[str, PhoneNumber]) -> None:
    number = read(phonenumbers.format_number(country_and_number[1], PhoneNumberFormat.E164), KH)
    assert number.match_key.endswith(number.tail)
    assert len(number.tail) in (0, 8, 9)


# --- withheld ---


@pytest.mark.parametrize(
    "caller",
    [
        Caller("anonymous", "Anonymous"),
        Caller("anonymous@anonymous.invalid"),
        Caller("sip:anonymous@anonymous.invalid"),
        Caller("Restricted"),
        Caller("withheld"),
        Caller("PRIVATE"),
        Caller("<unknown>"),
        Caller("unavailable"),
        Caller(KH_PHONE, "Sok Dara", "prohib"),
        Caller(KH_PHONE, "Sok Dara", "prohib_passed_screen"),
        Caller(KH_PHONE, "Sok Dara", "PROHIB_NOT_SCREENED"),
        Caller(KH_PHONE, "", "unavailable"),
        Caller(KH_PHONE, '"Anonymous"'),
        Caller(""),
        Caller("  "),
        Caller("sip:@192.0.2.1"),
    ],
    ids=repr,
)
def test_who_does_not_want_to_be_known_is_not(caller: Caller) -> None:
    assert withheld(caller)


@pytest.mark.parametrize(
    "caller",
    [
        Caller(KH_PHONE),
        Caller(KH_PHONE, "Sok Dara", "allowed_not_screened"),
        Caller(KH_PHONE, "UNKNOWN", "allowed"),  # what a network sends that has no name for an open number
        Caller(KH_PHONE, "Private Bank", "allowed_passed_screen"),
        Caller("101"),
    ],
    ids=repr,
)
def test_who_shows_the_number_may_be_looked_up(caller: Caller) -> None:
    assert withheld(caller) == ""


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20))
def test_no_caller_makes_the_question_of_withheld_fail(number: str, name: str, presentation: str) -> None:
    assert isinstance(withheld(Caller(number, name, presentation)), str)


def test_every_dash_of_unicode_may_stand_in_a_number() -> None:
    dashes = [chr(code) for code in range(0x3000) if unicodedata.category(chr(code)) == "Pd"] + ["\u2212"]
    assert {key(f"+855{dash}12{dash}345678") for dash in dashes} == {KH_PHONE}


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.integers(0, 10), st.booleans(), st.data())
def test_the_short_way_of_reading_says_what_the_long_way_says_or_nothing(
    country: str, kind: int, national: bool, data: st.DataObject
) -> None:
    example = phonenumbers.example_number_for_type(country, kind) or phonenumbers.example_number(country)
    assert example is not None
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    assert metadata is not None
    digits = list(phonenumbers.national_significant_number(example))
    for place in data.draw(st.sets(st.integers(0, len(digits) - 1), max_size=6)):
        digits[place] = data.draw(st.sampled_from("0123456789"))
    text = (metadata.national_prefix or "0" if national else f"+{example.country_code}") + "".join(digits)
    short = numbers._as_it_stands(text, country)
    if short is not None and phonenumbers.is_valid_number(short):
        long = phonenumbers.parse(text, country)
        assert phonenumbers.format_number(short, PhoneNumberFormat.E164) == phonenumbers.format_number(
            long, PhoneNumberFormat.E164
        )
