"""A directory that is asked by LDAP: entries of one filter, page by page."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import ldap3
import orjson
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from config.sentences import say
from config.settings import Source
from records.errors import Refused
from records.intake.headers import Own, meanings
from records.intake.rows import LONGEST_CELL, Cell, Column, Meaning, Row
from records.sources.reading import FileSeen, Known

PAGE = 500
CONNECT_S = 10
ANSWER_S = 60
CHANGED_AT = "modifyTimestamp"

ATTRIBUTES: Mapping[str, str] = {
    "entryUUID": "external_id",
    "cn": "name",
    "o": "company",
    "telephoneNumber": "phone:work",
    "mobile": "phone:mobile",
    "homePhone": "phone:home",
    "mail": "email",
    "postalAddress": "address",
}
"""Of inetOrgPerson (RFC 2798), and the id that every entry has (RFC 4530)."""

PHOTO = "jpegPhoto"


class LdapReading:
    kind = "LDAP"
    unit = "entry"
    files: tuple[FileSeen, ...] | None = None

    def __init__(self, connection: Any, source: Source, own: Own, since: str) -> None:
        said = {name.casefold() for name in source.columns}
        columns = {**source.columns, **{name: what for name, what in ATTRIBUTES.items() if name.casefold() not in said}}
        self.headers = (*columns, PHOTO)
        self.meanings = (*meanings(tuple(columns), columns, own), Meaning("photo"))
        self.full = not since
        self._connection, self._source, self._newest, self._asked = connection, source, since, since

    @property
    def since(self) -> str:
        return orjson.dumps([_question(self._source), self._newest]).decode() if self._newest else ""

    def kept(self) -> Iterable[str]:
        return ()

    def rows(self) -> Iterator[Row]:
        wanted = self._source.filter
        if self._asked:
            wanted = f"(&{wanted}({CHANGED_AT}>={escape_filter_chars(self._asked)}))"
        try:
            entries = self._connection.extend.standard.paged_search(
                self._source.base, wanted, attributes=[*self.headers, CHANGED_AT], paged_size=PAGE, generator=True
            )
            found = (entry["raw_attributes"] for entry in entries if entry.get("type") == "searchResEntry")
            for number, attributes in enumerate(found, 1):
                values = {name.casefold(): several for name, several in attributes.items()}
                self._newest = max(self._newest, *map(_text, values.get(CHANGED_AT.casefold(), ())), "")
                yield self._row(number, values)
        except (LDAPException, OSError) as exc:
            raise Refused(say("its entries cannot be read to the end: {why}", why=_said(exc))) from exc

    def _row(self, number: int, values: Mapping[str, list[bytes]]) -> Row:
        cells: dict[Column, tuple[Cell, ...]] = {}
        for meaning, header in zip(self.meanings, self.headers, strict=True):
            if meaning is None or meaning.column == "photo":
                continue
            to_text = _id if meaning.column == "external_id" else _text
            texts = [to_text(value) for value in values.get(header.casefold(), ())] or [""]
            if meaning.column == "address":  # RFC 4517: lines are parted by "$"
                texts = [", ".join(line.strip() for line in text.split("$")) for text in texts]
            if any(len(text) > LONGEST_CELL for text in texts):
                return Row(
                    number,
                    cells,
                    say(
                        "has more than {most} characters under {header!r}; shorten it", most=LONGEST_CELL, header=header
                    ),
                )
            some = tuple(Cell(text, meaning.label, header) for text in texts)
            cells[meaning.column] = (*cells.get(meaning.column, ()), *some)
        return Row(number, cells, photo=next(iter(values.get(PHOTO.casefold(), ())), b""))


@contextmanager
def open_ldap(source: Source, own: Own, known: Known, full: bool) -> Iterator[LdapReading]:
    """Raises Refused: it cannot be reached, or does not let us in."""
    question, since = orjson.loads(known.since) if known.since else ("", "")
    try:
        connection = _connection(source)
    except (LDAPException, OSError) as exc:
        raise Refused(say("{url}: {why}", url=source.url, why=_said(exc))) from exc
    try:
        yield LdapReading(connection, source, own, "" if full or question != _question(source) else since)
    finally:
        connection.unbind()


def _connection(source: Source) -> Any:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=source.ca_file or None)
    server = ldap3.Server(source.url, tls=tls, get_info=ldap3.NONE, connect_timeout=CONNECT_S)
    connection = ldap3.Connection(
        server,
        source.bind_dn or None,
        source.password or None,
        receive_timeout=min(ANSWER_S, source.limit_s),
        read_only=True,
        raise_exceptions=True,
        check_names=False,
    )
    try:
        connection.open(read_server_info=False)
        if source.start_tls:
            connection.start_tls(read_server_info=False)
        connection.bind(read_server_info=False)
    except BaseException:
        if connection.socket is not None:  # ldap3 leaves it open
            connection.socket.close()
        raise
    return connection


def _text(value: bytes) -> str:
    return value.decode(errors="replace").replace("\x00", "").strip()


def _id(value: bytes) -> str:
    """Active Directory's are binary."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


def _said(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def _question(source: Source) -> str:
    """Another question is asked from the beginning."""
    parts = [source.url, source.base, source.filter, source.bind_dn, dict(source.columns)]
    return blake2b(orjson.dumps(parts), digest_size=8).hexdigest()
