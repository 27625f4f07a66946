"""Doctor's look at the fields that the company defines, and at the queries that fill some of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from functools import reduce
from typing import Any

from config.card_fields import BUILT_IN, PARAMETERS, Field, Query, parameters
from config.sentences import say
from config.settings import Settings
from desk.layout import placed
from records.elsewhere import Elsewhere, NoAnswer, TooSlow
from ringcard.check_doors import UNASSIGNED
from ringcard.findings import Finding, fail, ok, warn

ANSWER_S = 5.0
HARMLESS: Mapping[str, Any] = {**dict.fromkeys(PARAMETERS, ""), "number": UNASSIGNED, "customer_id": 0}
"""A customer that nobody is."""


async def card_fields(settings: Settings) -> list[Finding]:
    """Nothing where nothing is defined."""
    asked = (asyncio.to_thread(_query, name, query, settings.fields) for name, query in settings.queries.items())
    return [*_fields(settings.fields), *await asyncio.gather(*asked)]


def _fields(fields: Mapping[str, Field]) -> list[Finding]:
    own = {name: field for name, field in fields.items() if name not in BUILT_IN}
    built_in = {(fields[name].label if name in fields else "") or label for name, label in BUILT_IN.items()}
    labels = Counter([*built_in - {""}, *(one.label for one in placed(own) if not one.built_in)])
    twice = [label for label, count in labels.items() if count > 1]
    if twice:
        seen = reduce(
            lambda before, last: say("{before} and two {last}", before=before, last=last),
            twice[1:],
            say("two fields are called {label}", label=twice[0]),
        )
        return [
            warn(
                say("card fields"),
                seen,
                say("Give one of them another label: neighbours with one label look like one."),
            )
        ]
    return [ok(say("card fields"), say("{n} of your own", n=len(own)))] if own else []


def _query(name: str, query: Query, fields: Mapping[str, Field]) -> Finding:
    """Blocks for some seconds at most."""
    what, where = say("query {name}", name=name), f"queries.{name}"
    wanted = {field.column: at for at, field in fields.items() if field.query == name}
    limit_s = min(query.limit_ms / 1000, ANSWER_S)
    try:
        elsewhere = Elsewhere(query.url, query.sql, limit_s)
    except NoAnswer as exc:
        mend = say("Correct {where}.url; a database of another kind needs its driver in .venv.", where=where)
        return fail(what, str(exc), mend)
    try:
        began = time.monotonic()
        row = elsewhere.first_row({key: HARMLESS[key] for key in parameters(query.sql)})
        took_s = time.monotonic() - began
    except TooSlow:
        return fail(what, say("no answer within {seconds} s", seconds=format(limit_s, "g")), _too_slow(where, query))
    except NoAnswer as exc:
        return fail(what, str(exc), _mend(where, exc))
    finally:
        elsewhere.close()
    if missing := sorted(wanted.keys() - row.keys()):
        seen = say("gives no column {columns}; it gives {given}", columns=", ".join(missing), given=", ".join(row))
        return fail(
            what,
            seen,
            say("Correct fields.{field}.source, or the SELECT of {where}.sql.", field=wanted[missing[0]], where=where),
        )
    seen = say("answers in {ms} ms", ms=round(took_s * 1000))
    if took_s > limit_s / 2:
        return warn(
            what, say("{seen}, and has {limit_ms} ms", seen=seen, limit_ms=query.limit_ms), _too_slow(where, query)
        )
    if not wanted:
        return warn(
            what,
            say("{seen}, and no field shows it", seen=seen),
            say('Name it in a field, source = "{name}.COLUMN", or remove it.', name=name),
        )
    if not elsewhere.refuses_writes:
        return warn(
            what,
            say("{seen}; only its user's rights keep it from writing", seen=seen),
            say("Give it a user who may only read."),
        )
    return ok(what, seen)


def _mend(where: str, exc: NoAnswer) -> str:
    if exc.gone:
        return say(
            "Start or mend that database, or correct {where}.url; cards show the default meanwhile.", where=where
        )
    if "read-only" in str(exc) or "readonly" in str(exc):
        return say("Have {where}.sql only read: another program must do what is to be written.", where=where)
    return say("Correct {where}.sql; it is one SELECT in the words of that database.", where=where)


def _too_slow(where: str, query: Query) -> str:
    return say(
        "Give that database an index for what the query looks for, or raise {where}.limit_ms = {limit}.",
        where=where,
        limit=query.limit_ms,
    )
