"""desk/reading.py and lookup/reasons.py: what the rules said in English is said again in the language of the reader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from string import Formatter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sentences import TEMPLATES, Sentence, say
from config.settings import Did, Policy, Tiers
from desk.languages import Language
from desk.reading import DEEPEST, LONGEST, SHOWN, read
from desk.story import simulated_story
from lookup import reasons
from lookup.answers import Answer, Caller, Unavailable, Unknown, Withheld
from lookup.blocking import Blocked
from lookup.card import CardNumber, Match, Spoke
from lookup.duty import COMPANY, CardRule
from lookup.matching import choose
from lookup.numbers import withheld
from lookup.routing import Route, route
from lookup.who import NOT_OURS, OURSELVES
from records.completion import NOT_HEARD
from records.facts import NOT_ALL_HEARD
from tests.unit import test_matching as matched
from tests.unit import test_replay as recorded
from tests.unit import test_routing_today as today
from tests.unit import test_simulated as simulated

NAMES_OR_TEXTS = {"whom", "shared", "then_way"}
"""Of these a name, a number, an extension of the dialplan may stand alone."""


def said_again(text: Any, *, whole: bool = True) -> str:
    """The English of what was read; with `whole`, nothing in it may be left that is not understood."""
    if not isinstance(text, Sentence):
        return str(text)
    for name, value in text.values.items():
        if whole and (kind := name.rpartition("_")[2]) in {*TEMPLATES, "reason"}:
            assert isinstance(value, Sentence) or name in NAMES_OR_TEXTS, (str(text), kind, value)
    values = {name: said_again(value, whole=whole) for name, value in text.values.items()}
    return (text.many or text.sentence).format(**values)


def templates_in(text: Any) -> Iterator[str]:
    if isinstance(text, Sentence):
        yield text.sentence
        for value in text.values.values():
            yield from templates_in(value)


def assert_read(text: str) -> Sentence:
    sentence = read(text)
    assert isinstance(sentence, Sentence), text
    assert sentence == text
    again = said_again(sentence)
    assert (again[:1].lower() + again[1:]) == (text[:1].lower() + text[1:])
    assert type(text) is str, "who encodes a call knows of no sentences"
    return sentence


# --- what the rules say


def ways() -> Iterator[Route]:
    cards = (
        today.CARD,
        replace(today.CARD, spoke_last=Spoke(today.SAM, "2026-11-25T10:00:00Z")),
        replace(today.CARD, manager=None),
        replace(today.CARD, manager=replace(today.LINA, phones=()), deputy=None),
    )
    nobody: tuple[Answer, ...] = (
        Withheld(reasons.WITHHELD),
        Unknown(today.NUMBER, "nobody"),
        Unavailable(today.NUMBER, "late"),
        today.found(today.CARD, may="name"),
        today.found(today.CARD, replace(today.CARD, customer_id=8, manager=None)),
    )
    for answer in (*map(today.found, cards), *nobody):
        for policy, now in product(get_args(Policy), situations()):
            for routing in (
                today.RING,
                replace(today.RING, after="queue", presence="desk"),
                replace(today.RING, after="gone", ring_s=0, group_ring_s=0),
            ):
                yield route(answer, Did(policy=policy), routing, today.NODE, now)


def situations() -> Iterator[Any]:
    busy = replace(today.NOW, busy=frozenset({"101", "103", "104"}))
    yield from (today.NOW, busy, replace(today.NOW, at=None), replace(today.NOW, unreachable=frozenset({"101"})))
    yield replace(today.NOW, declined=frozenset({"103", "104"}))
    yield today.changed(1, do_not_disturb=True)
    yield today.changed(2, seen_at=today.THURSDAY)
    night = replace(today.NOW, at=today.NIGHT)
    holiday = replace(today.OFFICE, holidays=frozenset({"11-26"}))
    for hours in (today.OFFICE, replace(today.OFFICE, closed_to=""), holiday):
        yield replace(night, duty=replace(today.DUTY, calendars={COMPANY: hours}, rules=(today.VIP,)))
    for rule in (
        replace(today.VIP, person_id=None, team_id=today.SUPPORT),
        replace(today.VIP, person_id=None, team_id=99),
        replace(today.VIP, person_id=None, destination="queue"),
        replace(today.VIP, person_id=None, destination="gone"),
        replace(today.VIP, person_id=99),
        replace(today.VIP, value="no"),
        CardRule("Old: debts", "debt", "over", "1", "USD", person_id=4),
        CardRule("High", "grade", "over", "1", person_id=4),
        CardRule("None", "nothing", "is", "1", person_id=4),
    ):
        yield replace(today.NOW, duty=replace(today.DUTY, rules=(rule, today.VIP)))
    number, before = today.NUMBER.match_key, today.NUMBER.match_key[:5]
    for blocked in (
        Blocked(numbers={number: ""}),
        Blocked(numbers={number: "called (twice); at night."}),
        Blocked(prefixes={before: ""}, withheld=True),
        Blocked(prefixes={before: "a range: theirs"}),
    ):
        yield replace(today.NOW, duty=replace(today.DUTY, blocked=blocked))


def matches() -> Iterator[Answer]:
    numbers = (matched.NUMBER, matched.STRAY, matched.BEHIND)
    dara = replace(matched.DARA, numbers=(CardNumber(matched.NUMBER.e164, ext="7"),))
    one, other = Match(dara), Match(replace(dara, customer_id=2, source="crm"))
    for number, tiers in product(numbers, (Tiers(), Tiers("off", "off", "off", "off"))):
        for candidates in (
            (),
            (one,),
            (other,),
            (one, replace(other, card=replace(other.card, source=""))),
            (one, Match(matched.MINH)),
            (replace(one, choice=matched.CHOICE), other),
            (replace(one, range="+855 12 3xx"),),
            (replace(one, range="+855 12 3xx"), replace(other, range="+855 12 3xx")),
        ):
            yield choose(number, candidates, "cache", tiers)


def hidden() -> Iterator[str]:
    for number, name, presentation in (("", "", ""), ("1", "Anonymous", ""), ("1", "", "prohib")):
        yield withheld(Caller(number, name, presentation))


def steps_of_calls() -> Iterator[str]:
    for name in recorded.CALLS:
        heard = recorded.play([event for event, _ in recorded.story(name)])
        yield from (step.what for row in heard.rows.values() for step in row.trace)
    for state in simulated.played(simulated.by_the_rules()):
        yield from (step.what for step in simulated_story(replace(state, match_reason=OURSELVES.reason)))


def whole_texts() -> set[str]:
    texts = {OURSELVES.reason, NOT_OURS.reason, *hidden()}
    for way in ways():
        texts |= {way.reason, *way.trail, *(f"{line[:1].upper()}{line[1:]}" for line in way.trail)}
        texts |= {step.reason for step in way.steps}
    return texts | {answer.reason for answer in matches()} | {*steps_of_calls()}


def test_all_that_the_rules_say_is_read_back_to_the_last_word() -> None:
    texts = whole_texts()
    assert len(texts) > 200
    for text in texts:
        assert_read(text)
        assert_read(f"{text} {NOT_ALL_HEARD}")


def test_every_template_is_read_as_itself() -> None:
    """Filled with each text of a kind in turn, and every template that is kept by itself or in another is reached."""
    reached: set[str] = set()
    for kind in SHOWN:
        for one, many in TEMPLATES[kind]:
            for text in filled(many or one, kind):
                sentence = assert_read(text)
                assert sentence.sentence == one, text
                reached |= {*templates_in(sentence)}
    assert {one for each in TEMPLATES.values() for one, _ in each} - reached == set()


LISTS = {
    reasons.THEN_WHOM: "whom",
    reasons.ALSO_PASSED: "text",
    reasons.THEN_WAY: "step",
    reasons.AND_PHONE: "way",
}
"""And in what they stand."""
PLAIN = {"n": "3", "seconds": "15", "ms": "0.8"}


def filled(template: str, within: str, depth: int = 0) -> Iterator[str]:
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    usual = {name: next(offered(name, within, depth), name.title()) for name in names}
    yield template.format(**usual)
    for name in names:
        for text in offered(name, within, depth):
            yield template.format(**{**usual, name: text})


def offered(name: str, within: str, depth: int) -> Iterator[str]:
    """Texts that may stand for this value: lists only where there are any."""
    kind = name.rpartition("_")[2]
    if name in PLAIN:
        yield PLAIN[name]
    elif kind == "reason":
        yield reasons.NOT_OURS
    else:
        for one, many in sorted(TEMPLATES.get(kind, ()), key=lambda each: each[0] in LISTS):
            if one not in LISTS or (LISTS[one] == within and depth < 2):
                yield from filled(many or one, kind, depth + 1)


@pytest.mark.parametrize("text", [NOT_ALL_HEARD, NOT_HEARD])
def test_what_the_log_says_of_itself_is_read(text: str) -> None:
    assert list(templates_in(assert_read(text))) == [text]
    assert_read(f"{NOT_HEARD} {reasons.CUT} {NOT_ALL_HEARD}")


# --- how it is said


class Marked(Language):
    """Shows where each sentence begins and ends."""

    def gettext(self, text: str) -> str:
        return f"<{text}>"

    def ngettext(self, one: str, many: str, n: int) -> str:
        return f"<{n}: {one}>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Rings the assigned manager Sok Dara, then Kim, the deputy of Sok Dara; after that the destination night. "
            "Not rung: Bo: do not disturb; the team of Sok Dara: nobody else of it can be rung.",
            "<<Rings <<the assigned manager Sok Dara>, then <Kim, the deputy of Sok Dara>>; "
            "after that <the destination night>.> "
            "Not rung: <<Bo: <do not disturb>>; <<the team of Sok Dara>: <nobody else of it can be rung>>>.>",
        ),
        (
            "The destination night: Thu 22:00 is outside of Mon-Fri 08:00-17:00; Sat 09:00-12:00.",
            "<The destination night: <<Thu> 22:00 is outside of Mon-Fri 08:00-17:00; Sat 09:00-12:00>.>",
        ),
        (
            "3 customers of {0}; & Sons share +855; <b>Mo</b> chose this one on 2026-03-01. Kept in crm.",
            None,  # the company's name could be the end of the sentence; so it is said as it stands
        ),
        (
            "3 customers of {0} share +855; <b>Mo</b> chose this one on 2026-03-01. Kept in crm.",
            "<<<3: 3 customer of {0} shares +855>; <b>Mo</b> chose this one on 2026-03-01.> Kept in crm.>",
        ),
        ("Chan Lina by the rule Old; and {n}", "<Chan Lina by the rule Old; and {n}>"),
        ("No customer is known by this number.", "<<no customer is known by this number>.>"),
        (
            "handed back: phone 101 and a number outside for 15 s, then night,s",
            "<handed back: <<<<phone 101> and <a number outside>> for 15 s>, then night,s>>",
        ),
        ("found, exact (cache, 0.8 ms), learned late", "<<<found, exact> (<cache>, 0.8 ms)>, learned late>"),
        ("phone 101: left the call", "<<phone 101>: <left the call>>"),
        ("ended: answered, hung up by the caller", "<ended: <answered>, hung up by the caller>"),
        ("(1 steps left out)", "<1: (1 step left out)>"),
        ("the customer's manager", "<the customer's manager>"),
        ("What an older release said; of it: nothing.", "What an older release said; of it: nothing."),
        ("", ""),
    ],
)
def test_each_part_is_said_in_the_readers_language(text: str, shown: str | None) -> None:
    if shown is None:
        assert Marked("de").put(read(text)).startswith("<")
        return
    assert Marked("de").put(read(text)) == shown
    assert Language("en").put(read(text)) == text


def test_a_sentence_stays_what_it_is() -> None:
    assert read(said := say("no phone here")) is said


# --- strangers' texts


strange = st.text(max_size=40) | st.sampled_from(
    ["{0}", "{name}", "; ", ", then ", ": ", ". Not rung: ", "; after that ", "</b>", "%s", "İ", "Rings ", " (", ")"]
)


@given(
    st.lists(strange, max_size=12).map("".join), st.sampled_from([one for each in SHOWN for one, _ in TEMPLATES[each]])
)
def test_whatever_a_name_is_the_text_comes_back(name: str, template: str) -> None:
    names = {each for _, each, _, _ in Formatter().parse(template) if each}
    for text in (name, template.format(**dict.fromkeys(names, name))):
        sentence = read(text)
        assert sentence == text
        Marked("de").put(sentence)
        again = said_again(sentence, whole=False)
        assert (again[:1].lower() + again[1:]) == (text[:1].lower() + text[1:])


@pytest.mark.parametrize(
    "piece",
    ["a", "; ", ", then ", ": ", " and ", " Not rung: ", "x: no phone here; ", " Not all of it was heard.", "."],
)
def test_a_long_text_takes_no_time(piece: str) -> None:
    for begin in ("", "Rings ", "Not rung: ", "handed back: ", "found ("):
        text = (begin + piece * LONGEST)[:LONGEST]
        began = time.process_time()
        assert read(text) == text
        assert time.process_time() - began < 0.5
    assert type(read(f"Blocked: {piece * LONGEST}.")) is str, "no rule says so much"


def test_a_list_without_end_is_said_as_far_as_anybody_reads() -> None:
    passed = "; ".join(f"P{n}: no phone here" for n in range(3 * DEEPEST))
    sentence = read(f"The company's own way: nobody can be rung now. Not rung: {passed}."[:LONGEST])
    assert len([*templates_in(sentence)]) > DEEPEST
