"""A database that is asked: one SELECT of the company's, in a session that can only read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult, Engine, TextClause, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from config.sentences import say
from config.settings import NOT_CODE, Source
from records.errors import Refused
from records.intake.headers import Own, meanings
from records.intake.rows import Meaning, Row, row_of
from records.sources.reading import FileSeen, Known, together

AT_ONCE = 1000
"""Rows fetched together."""


class SqlReading:
    kind = "SQL"
    unit = "row"
    files: tuple[FileSeen, ...] | None = None

    def __init__(self, result: CursorResult[Any], source: Source, own: Own, since: Any, full: bool) -> None:
        self.headers = tuple(result.keys())
        self.meanings = _meanings(self.headers, source, own)
        self.full = full
        self._result, self._source = result, source
        self._newest = None if full else since
        self._at = self.headers.index(source.since_column) if source.since_column else -1

    def rows(self) -> Iterator[Row]:
        return together(self._rows())

    def kept(self) -> Iterable[str]:
        return ()

    @property
    def since(self) -> str:
        return "" if self._newest is None else _packed(self._newest, self._source)

    def _rows(self) -> Iterator[Row]:
        try:
            for number, values in enumerate(self._result.yield_per(AT_ONCE), 1):
                self._see(values)
                yield row_of(number, [*map(_text, values)], self.headers, self.meanings)
        except SQLAlchemyError as exc:
            raise Refused(say("its rows cannot be read to the end: {why}", why=_first_line(exc))) from exc

    def _see(self, values: Any) -> None:
        if self._at < 0 or values[self._at] is None:
            return
        try:
            if self._newest is None or values[self._at] > self._newest:
                self._newest = values[self._at]
        except TypeError as exc:
            raise Refused(
                say(
                    "{column} has values of several kinds, {first} and {second}; CAST it to one in the SELECT",
                    column=self._source.since_column,
                    first=repr(self._newest),
                    second=repr(values[self._at]),
                )
            ) from exc


@contextmanager
def open_sql(source: Source, own: Own, known: Known, full: bool) -> Iterator[SqlReading]:
    """Asks. Raises Refused: no such driver, no connection, a statement that fails, a column that is missing."""
    since = None if full else _unpacked(known.since, source)
    given = {"since": source.since_start if since is None else since} if source.since_column else {}
    engine = _engine(source)
    try:
        with _plainly(engine), engine.connect() as connection:
            _read_only(connection, source.limit_s)
            streaming = connection.execution_options(stream_results=True)
            with closing(streaming.execute(_statement(source.sql), given)) as result:
                yield SqlReading(result, source, own, since, since is None)
    finally:
        engine.dispose()


def _statement(sql: str) -> TextClause:
    """A colon in a text or a comment begins no parameter."""
    return text(NOT_CODE.sub(lambda part: re.sub(r"(?<!\\):", r"\\:", part.group()), sql))


def _engine(source: Source) -> Engine:
    try:
        url = make_url(source.url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise Refused(say("there is no file {file}; correct its url", file=url.database))
        return create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError) as exc:
        raise Refused(
            say("its url is none that SQLAlchemy knows ({why}); write it like mysql+pymysql://...", why=str(exc))
        ) from exc
    except ModuleNotFoundError as exc:
        raise Refused(
            say("there is no driver {driver}; install it: .venv/bin/pip install {driver}", driver=exc.name)
        ) from exc


def _read_only(connection: Connection, limit_s: int) -> None:
    """As far as the kind of database can; whatever it does is rolled back besides."""
    match connection.dialect.name:
        case "postgresql":
            connection.execution_options(postgresql_readonly=True)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {limit_s * 1000}")
        case "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        case "mysql" | "mariadb":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.rollback()
        case "oracle":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")


@contextmanager
def _plainly(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as exc:
        place = engine.url.render_as_string(hide_password=True)
        raise Refused(say("{place}: {why}", place=place, why=_first_line(exc))) from exc


def _first_line(exc: SQLAlchemyError) -> str:
    return (str(getattr(exc, "orig", None) or exc).strip().splitlines() or [type(exc).__name__])[0]


def _meanings(headers: tuple[str, ...], source: Source, own: Own) -> tuple[Meaning | None, ...]:
    found = meanings(headers, source.columns, own)
    if source.since_column and source.since_column not in headers:
        raise Refused(
            say("its SELECT gives no column {column!r}, which is its since_column", column=source.since_column)
        )
    columns = {meaning.column for meaning in found if meaning is not None}
    listed = ", ".join(headers)
    if "external_id" not in columns:
        raise Refused(
            say(
                "none of its columns is a customer's id; say which one it is: columns = {{ COLUMN = 'external_id' }}. "
                "They are: {columns}",
                columns=listed,
            )
        )
    if "number" not in columns:
        raise Refused(
            say(
                "none of its columns is a phone number; say which one it is: columns = {{ COLUMN = 'phone' }}. "
                "They are: {columns}",
                columns=listed,
            )
        )
    if not columns & {"name", "company"}:
        raise Refused(
            say("none of its columns is a name: columns = {{ COLUMN = 'name' }}. They are: {columns}", columns=listed)
        )
    return found


def _text(value: Any) -> str:
    if value is None or isinstance(value, bytes | memoryview):
        return ""
    if isinstance(value, float):
        value = Decimal(repr(round(value, 4)))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


# --- how far it was read, with its type: a driver gives back what it gave


_TYPES: Mapping[str, Any] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
    "int": int,
    "float": float,
    "str": str,
}


def _packed(value: Any, source: Source) -> str:
    kind = type(value).__name__
    if kind not in _TYPES:
        raise Refused(
            say(
                "{column} is of the type {kind}; CAST it to a time, a number or a text",
                column=source.since_column,
                kind=kind,
            )
        )
    said = value.isoformat() if isinstance(value, date) else str(value)
    return orjson.dumps([_statement_of(source), kind, said]).decode()


def _unpacked(since: str, source: Source) -> Any:
    """None when nothing was kept, or of another statement."""
    statement, kind, said = orjson.loads(since) if since else ("", "str", "")
    return _TYPES[kind](said) if statement == _statement_of(source) else None


def _statement_of(source: Source) -> str:
    parts = [source.url, source.sql, source.since_column, source.since_start, dict(source.columns)]
    return blake2b(orjson.dumps(parts), digest_size=8).hexdigest()
