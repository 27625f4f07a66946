"""A lab whose Asterisk has func_odbc: a driver for SQLite, and the files that Asterisk reads for it.

Only a measurement needs it. So the driver is Debian's, of the release that a private Asterisk is from, in a folder of
its own that this one start of Asterisk is told of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ringcard.lab import Lab
from ringcard.private_asterisk import SUITE, AsteriskMissing, cache_dir, find_asterisk, unpacked

PACKAGE = "libsqliteodbc"
DRIVER = "lib/*/odbc/libsqlite3odbc.so"
ABSENT = f"For func_odbc: fetching {PACKAGE} from Debian {SUITE} (once)."
MODULES = ("res_odbc", "res_odbc_transaction", "func_odbc")


def find_driver(tell: Callable[[str], None], *, fetch: bool) -> Path | None:
    """For the Asterisk that a lab takes; None, and the reason told, when there is none.

    fetch: from Debian's archive when a private Asterisk needs it and it is not in the cache.
    """
    root = Path("/usr")  # of the machine's own Asterisk
    if _private(find_asterisk().command):
        if not fetch and not any(cache_dir().glob(f"{PACKAGE}-*/")):
            return None
        try:
            root = unpacked(PACKAGE, ABSENT, tell) / "usr"
        except AsteriskMissing as exc:
            tell(f"func_odbc is left out: {exc}")
            return None
    driver = next(iter(sorted(root.glob(DRIVER))), None)
    if driver is None:
        tell(f"func_odbc is left out: there is no {PACKAGE} in {root}")
    return driver


def _private(command: tuple[str, ...]) -> bool:
    return len(command) > 1  # begins with the copy's own loader


class OdbcLab(Lab):
    """${ODBC_CALLER_NAME(digits)} asks `database`."""

    def __init__(self, database: Path, driver: Path, *, dialplan: Path) -> None:
        super().__init__(dialplan=dialplan)
        self._database = database
        self._driver = driver
        if _private(self.asterisk.command):
            loader, flag, libraries, program = self.asterisk.command
            found_too = f"{libraries}:{driver.parent.parent}"
            self.asterisk = replace(self.asterisk, command=(loader, flag, found_too, program))

    def _write_configuration(self) -> None:
        super()._write_configuration()
        etc = self.dir / "etc"
        with (etc / "modules.conf").open("a") as modules:
            modules.writelines(f"load = {module}.so\n" for module in MODULES)
        (etc / "odbc.ini").write_text(f"[crm]\nDriver = {self._driver}\nDatabase = {self._database}\n")
        (etc / "odbcinst.ini").touch()
        (etc / "res_odbc.conf").write_text(f"[ENV]\nODBCSYSINI => {etc}\n[crm]\nenabled => yes\ndsn => crm\n")
        asked = "SELECT name FROM phones WHERE digits = '${SQL_ESC(${ARG1})}' ORDER BY id"
        (etc / "func_odbc.conf").write_text(f"[CALLER_NAME]\ndsn = crm\nreadsql = {asked}\n")
