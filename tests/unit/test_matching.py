"""Who it is, how sure that is and why; and never somebody just because they came first."""

from dataclasses import replace
from itertools import permutations
from typing import Any, get_args

import pytest

from config.settings import Tiers
from lookup.answers import Found, Number, Tier, Unknown
from lookup.card import Card, CardNumber, Choice, Match
from lookup.matching import AS_SHIPPED, choose

NUMBER = Number("012345678", "+85512345678", "+85512345678", "12345678")
STRAY = Number("012 345 678", "", "", "12345678")
BEHIND = Number("+85512345678 x7", "+85512345678", "+85512345678", "12345678", ext="7")

DARA = Card(1, 1, "Sok Dara", company="Angkor Trade")
CHAN = Card(2, 1, "Chan Vibol", company="Angkor Trade")
ROSA = Card(3, 1, "Rosa Lim", company="Mekong Foods")
MINH = Card(4, 1, "Minh Tran")
CHOICE = Choice("Keo Mony", "2026-03-01T08:00:00Z")


def choice_of(*cards: Card | Match, number: Number = NUMBER, tiers: Tiers = AS_SHIPPED) -> Found | Unknown:
    return choose(number, [card if isinstance(card, Match) else Match(card) for card in cards], "cache", tiers)


def found(*cards: Card | Match, number: Number = NUMBER) -> Found:
    answer = choice_of(*cards, number=number)
    assert isinstance(answer, Found)
    return answer


def test_the_only_customer_with_the_number_is_chosen() -> None:
    assert choice_of(DARA) == Found(
        NUMBER, (DARA,), DARA, "exact", "cache", "+85512345678 is a number of this customer."
    )


def test_nobody_with_the_number_is_unknown() -> None:
    assert choice_of() == Unknown(NUMBER, "No customer has the number +85512345678.")
    assert choice_of(number=STRAY) == Unknown(STRAY, "No customer has the number 012 345 678.")


def test_customers_who_share_a_number_are_all_candidates_and_none_is_chosen() -> None:
    answer = found(ROSA, DARA, MINH)
    assert (answer.candidates, answer.chosen) == ((DARA, ROSA, MINH), None)
    assert answer.reason == "3 customers share +85512345678."


def test_the_order_of_candidates_never_depends_on_the_order_of_arrival() -> None:
    orders = [found(*cards).candidates for cards in permutations([DARA, CHAN, ROSA, MINH])]
    assert orders == [orders[0]] * 24
    with_choice: list[Card | Match] = [DARA, CHAN, Match(ROSA, choice=CHOICE), MINH]
    assert all(found(*cards).candidates == (ROSA, DARA, CHAN, MINH) for cards in permutations(with_choice))


def test_one_company_behind_a_shared_number_is_named_and_still_nobody_is_chosen() -> None:
    answer = found(CHAN, DARA)
    assert answer.chosen is None
    assert answer.reason == "2 customers of Angkor Trade share +85512345678."


def test_customers_without_a_company_are_not_of_one_company() -> None:
    assert found(MINH, Card(5, 1, "Somebody")).reason == "2 customers share +85512345678."


def test_a_customer_who_was_found_twice_is_one() -> None:
    assert found(DARA, DARA).chosen == DARA


# --- a choice ---


def test_whom_a_person_chose_is_taken_and_it_is_said_who_chose_and_when() -> None:
    answer = found(DARA, Match(ROSA, choice=CHOICE), MINH)
    assert (answer.candidates, answer.chosen) == ((ROSA, DARA, MINH), ROSA)
    assert answer.reason == "3 customers share +85512345678; Keo Mony chose this one on 2026-03-01."


def test_a_choice_is_no_news_when_nobody_else_has_the_number() -> None:
    assert found(Match(ROSA, choice=CHOICE)).reason == "+85512345678 is a number of this customer."


# --- extensions ---


def having(card_id: int, *exts: str, e164: str = "+85512345678") -> Card:
    return Card(card_id, 1, f"Customer {card_id}", numbers=tuple(CardNumber(e164, "", ext) for ext in exts))


PLAIN, SEVEN, EIGHT, OTHER = having(1, ""), having(2, "7"), having(3, "8"), having(4, "7", e164="+85512000000")


def test_who_has_the_extension_comes_before_all_who_have_the_number() -> None:
    answer = found(PLAIN, SEVEN, EIGHT, number=BEHIND)
    assert (answer.candidates, answer.chosen, answer.tier) == ((SEVEN,), SEVEN, "extension")
    assert answer.reason == "+85512345678 with the extension 7 is a number of this customer."


def test_several_with_the_extension_share_it() -> None:
    answer = found(PLAIN, SEVEN, having(9, "", "7"), number=BEHIND)
    assert ([card.customer_id for card in answer.candidates], answer.chosen, answer.tier) == ([2, 9], None, "extension")
    assert answer.reason == "2 customers share +85512345678 with the extension 7."


def test_a_choice_counts_among_those_with_the_extension_and_not_before_them() -> None:
    assert found(Match(PLAIN, choice=CHOICE), SEVEN, number=BEHIND).chosen == SEVEN
    assert found(Match(SEVEN, choice=CHOICE), having(9, "7"), number=BEHIND).chosen == SEVEN


def test_without_the_extension_who_has_none_comes_before_who_has_another() -> None:
    answer = found(PLAIN, EIGHT, number=BEHIND)
    assert (answer.candidates, answer.tier) == ((PLAIN,), "exact")
    assert found(EIGHT, having(9, "9"), number=BEHIND).candidates == (EIGHT, having(9, "9"))


def test_the_same_extension_of_another_number_is_another_phone() -> None:
    assert found(OTHER, SEVEN, number=BEHIND).candidates == (SEVEN,)


def test_a_caller_without_an_extension_sees_all_who_share_the_number() -> None:
    assert found(PLAIN, SEVEN, EIGHT).candidates == (PLAIN, SEVEN, EIGHT)


def test_an_extension_of_a_number_with_two_spellings_is_found_by_both() -> None:
    card = having(1, "7", e164="+5491123456789")
    for e164 in ("+541123456789", "+5491123456789"):
        caller = Number(e164, e164, "+541123456789", "123456789", ext="7")
        assert found(card, PLAIN, number=caller).tier == "extension"


# --- ranges ---


def test_a_number_in_a_companys_range_is_the_companys_and_the_range_is_named() -> None:
    answer = found(Match(ROSA, "+855 12 345 6xx"))
    assert (answer.chosen, answer.tier) == (ROSA, "range")
    assert answer.reason == "+85512345678 lies in the range +855 12 345 6xx of this customer."


def test_customers_who_share_a_range_are_all_candidates_until_one_is_chosen() -> None:
    answer = found(Match(ROSA, "012 345 6xx"), Match(DARA, "+855 12 345 6xx"))
    assert (answer.candidates, answer.chosen, answer.tier) == ((DARA, ROSA), None, "range")
    assert answer.reason == "2 customers share the range +855 12 345 6xx of +85512345678."
    assert found(Match(ROSA, "012 345 6xx", CHOICE), Match(DARA, "012 345 6xx")).chosen == ROSA


def test_an_extension_says_nothing_of_a_range() -> None:
    assert found(Match(ROSA, "012 345 6xx"), number=BEHIND).tier == "range"


# --- the last digits ---


def test_a_match_by_last_digits_counts_when_there_is_one() -> None:
    assert choice_of(DARA, number=STRAY) == Found(
        STRAY,
        (DARA,),
        DARA,
        "probable",
        "cache",
        "A number of this customer has the last 8 digits of 012 345 678; not certain.",
        "card",
    )


def test_several_matches_by_last_digits_are_nobody() -> None:
    assert choice_of(DARA, CHAN, number=STRAY) == Unknown(
        STRAY, "2 customers have the last 8 digits of 012 345 678; that is too little to name one of them."
    )


# --- what settings allow ---

OF_TIER: dict[Tier, tuple[Card | Match, Number]] = {
    "exact": (DARA, NUMBER),
    "extension": (SEVEN, BEHIND),
    "range": (Match(DARA, "012 345 6xx"), NUMBER),
    "probable": (DARA, STRAY),
}


def allowing(tier: Tier, may: str) -> Tiers:
    allowed: dict[str, Any] = {tier: may}
    return replace(AS_SHIPPED, **allowed)


@pytest.mark.parametrize("tier", get_args(Tier))
def test_an_answer_says_what_its_tier_may_do(tier: Tier) -> None:
    card, number = OF_TIER[tier]
    for may in ("card", "name", "route"):
        answer = choice_of(card, number=number, tiers=allowing(tier, may))
        assert isinstance(answer, Found)
        assert (answer.tier, answer.may) == (tier, may)


@pytest.mark.parametrize("tier", get_args(Tier))
def test_a_tier_that_is_off_finds_nobody_and_says_why(tier: Tier) -> None:
    card, number = OF_TIER[tier]
    answer = choice_of(card, number=number, tiers=allowing(tier, "off"))
    assert isinstance(answer, Unknown)
    assert f'tiers.{tier} = "off"' in answer.reason


# --- sources


def kept_in(card: Card, source: str, order: int) -> Card:
    return replace(card, source=source, order=order)


def test_only_those_of_the_first_source_that_knows_the_number_count() -> None:
    ours, theirs, other = DARA, kept_in(CHAN, "crm", 1), kept_in(ROSA, "book", 2)
    for cards in permutations([ours, theirs, other]):
        answer = choice_of(*cards)
        assert isinstance(answer, Found)
        assert (answer.candidates, answer.reason) == ((DARA,), "+85512345678 is a number of this customer.")
    answer = choice_of(other, theirs)
    assert isinstance(answer, Found)
    assert answer.chosen == theirs
    assert answer.reason == "+85512345678 is a number of this customer. Kept in crm."


def test_a_source_may_come_before_our_own() -> None:
    theirs = kept_in(ROSA, "crm", 0)
    answer = choice_of(replace(DARA, order=1), theirs)
    assert isinstance(answer, Found)
    assert answer.chosen == theirs


def test_customers_of_one_source_share_a_number_as_ours_do() -> None:
    cards = [kept_in(DARA, "crm", 1), kept_in(CHAN, "crm", 1), kept_in(ROSA, "book", 2)]
    answer = choice_of(*cards)
    assert isinstance(answer, Found)
    assert (len(answer.candidates), answer.chosen) == (2, None)
    assert answer.reason == "2 customers of Angkor Trade share +85512345678. Kept in crm."


def test_last_digits_lead_to_one_when_only_one_of_the_first_source_has_them() -> None:
    answer = choice_of(DARA, kept_in(ROSA, "crm", 1), number=STRAY)
    assert isinstance(answer, Found)
    assert answer.chosen == DARA
