"""Who it is, how sure that is and why; and never somebody just because they came first."""

from itertools import permutations

from lookup.answers import Found, Number, Unknown
from lookup.card import Card
from lookup.matching import choose

NUMBER = Number("012345678", "+85512345678", "+85512345678", "12345678")
STRAY = Number("012 345 678", "", "", "12345678")

DARA = Card(1, 1, "Sok Dara", company="Angkor Trade")
CHAN = Card(2, 1, "Chan Vibol", company="Angkor Trade")
ROSA = Card(3, 1, "Rosa Lim", company="Mekong Foods")
MINH = Card(4, 1, "Minh Tran")


def test_the_only_customer_with_the_number_is_chosen() -> None:
    assert choose(NUMBER, [DARA], "exact", "cache") == Found(
        NUMBER, (DARA,), DARA, "exact", "cache", "+85512345678 is a number of this customer."
    )


def test_nobody_with_the_number_is_unknown() -> None:
    assert choose(NUMBER, [], "exact", "database") == Unknown(NUMBER, "No customer has the number +85512345678.")
    assert choose(STRAY, [], "probable", "database") == Unknown(STRAY, "No customer has the number 012 345 678.")


def test_customers_who_share_a_number_are_all_candidates_and_none_is_chosen() -> None:
    answer = choose(NUMBER, [ROSA, DARA, MINH], "exact", "cache")
    assert isinstance(answer, Found)
    assert (answer.candidates, answer.chosen) == ((DARA, ROSA, MINH), None)
    assert answer.reason == "3 customers share +85512345678."


def test_the_order_of_candidates_never_depends_on_the_order_of_arrival() -> None:
    answers = {choose(NUMBER, cards, "exact", "cache") for cards in permutations([DARA, CHAN, ROSA, MINH])}
    assert len(answers) == 1


def test_one_company_behind_a_shared_number_is_named_and_still_nobody_is_chosen() -> None:
    answer = choose(NUMBER, [CHAN, DARA], "exact", "cache")
    assert isinstance(answer, Found)
    assert answer.chosen is None
    assert answer.reason == "2 customers of Angkor Trade share +85512345678."


def test_customers_without_a_company_are_not_of_one_company() -> None:
    answer = choose(NUMBER, [MINH, Card(5, 1, "Somebody")], "exact", "cache")
    assert answer.reason == "2 customers share +85512345678."


def test_a_customer_who_was_found_twice_is_one() -> None:
    answer = choose(NUMBER, [DARA, DARA], "exact", "cache")
    assert isinstance(answer, Found)
    assert answer.chosen == DARA


def test_a_match_by_last_digits_counts_when_there_is_one() -> None:
    assert choose(STRAY, [DARA], "probable", "database") == Found(
        STRAY,
        (DARA,),
        DARA,
        "probable",
        "database",
        "A number of this customer has the last 8 digits of 012 345 678; not certain.",
    )


def test_several_matches_by_last_digits_are_nobody() -> None:
    answer = choose(STRAY, [DARA, CHAN], "probable", "database")
    assert answer == Unknown(
        STRAY, "2 customers have the last 8 digits of 012 345 678; that is too little to name one of them."
    )
