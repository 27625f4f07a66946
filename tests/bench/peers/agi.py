"""The name of a caller by AGI, as it is glued to many a PBX: for each call Python starts, opens the database and asks.

AGI(python,agi.py,DATABASE,HOW). It is run by the Python of the machine and imports nothing but that Python's own.
HOW is `like`, the statement that connector-telephony's base_phone asks, or `indexed`, by a column made to be asked.
"""

from __future__ import annotations

import sqlite3
import sys

STATEMENTS = {
    "like": "SELECT name FROM phones WHERE replace(number, ' ', '') LIKE ? ORDER BY id",
    "indexed": "SELECT name FROM phones WHERE digits = ? ORDER BY id",
}


def key(number: str) -> str:
    """Country code and number in digits, as `phones.digits` has them; 00 and 0 are Cambodia's."""
    digits = "".join(filter(str.isdigit, number))
    if digits.startswith("00"):
        return digits[2:]
    return "855" + digits[1:] if digits.startswith("0") else digits


def name_of(number: str, database: sqlite3.Connection, how: str) -> str:
    """The first customer's; empty when there is none."""
    wanted = "%" + "".join(filter(str.isdigit, number))[-8:] if how == "like" else key(number)
    found = database.execute(STATEMENTS[how], (wanted,)).fetchall() if wanted.strip("%") else []
    return str(found[0][0]) if found else ""


def main(path: str, how: str) -> None:
    heard = iter(sys.stdin.readline, "\n")
    request = dict(line.rstrip("\n").split(": ", 1) for line in heard)
    name = name_of(request["agi_callerid"], sqlite3.connect(path), how)
    if name:
        print('SET VARIABLE CALLERID(name) "{}"'.format(name.replace('"', "")), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
