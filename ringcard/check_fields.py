"""Doctor's look at the fields that the company defines, and at the queries that fill some of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from config.card_fields import BUILT_IN, PARAMETERS, Field, Query, parameters
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
        seen = f"two fields are called {' and two '.join(twice)}"
        return [warn("card fields", seen, "Give one of them another label: neighbours with one label look like one.")]
    return [ok("card fields", f"{len(own)} of your own")] if own else []


def _query(name: str, query: Query, fields: Mapping[str, Field]) -> Finding:
    """Blocks for some seconds at most."""
    what, where = f"query {name}", f"queries.{name}"
    wanted = {field.column: at for at, field in fields.items() if field.query == name}
    limit_s = min(query.limit_ms / 1000, ANSWER_S)
    try:
        elsewhere = Elsewhere(query.url, query.sql, limit_s)
    except NoAnswer as exc:
        mend = f"Correct {where}.url; a database of another kind needs its driver in .venv."
        return fail(what, str(exc), mend)
    try:
        began = time.monotonic()
        row = elsewhere.first_row({key: HARMLESS[key] for key in parameters(query.sql)})
        took_s = time.monotonic() - began
    except TooSlow:
        return fail(what, f"no answer within {limit_s:g} s", _too_slow(where, query))
    except NoAnswer as exc:
        return fail(what, str(exc), _mend(where, exc))
    finally:
        elsewhere.close()
    if missing := sorted(wanted.keys() - row.keys()):
        seen = f"gives no column {', '.join(missing)}; it gives {', '.join(row)}"
        return fail(what, seen, f"Correct fields.{wanted[missing[0]]}.source, or the SELECT of {where}.sql.")
    seen = f"answers in {took_s * 1000:.0f} ms"
    if took_s > limit_s / 2:
        return warn(what, f"{seen}, and has {query.limit_ms} ms", _too_slow(where, query))
    if not wanted:
        return warn(
            what, f"{seen}, and no field shows it", f'Name it in a field, source = "{name}.COLUMN", or remove it.'
        )
    if not elsewhere.refuses_writes:
        return warn(what, f"{seen}; only its user's rights keep it from writing", "Give it a user who may only read.")
    return ok(what, seen)


def _mend(where: str, exc: NoAnswer) -> str:
    if exc.gone:
        return f"Start or mend that database, or correct {where}.url; cards show the default meanwhile."
    if "read-only" in str(exc) or "readonly" in str(exc):
        return f"Have {where}.sql only read: another program must do what is to be written."
    return f"Correct {where}.sql; it is one SELECT in the words of that database."


def _too_slow(where: str, query: Query) -> str:
    return f"Give that database an index for what the query looks for, or raise {where}.limit_ms = {query.limit_ms}."
