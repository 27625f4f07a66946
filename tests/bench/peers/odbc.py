"""A lab whose Asterisk has func_odbc: a driver for SQLite, and the files that Asterisk reads for it.

Only a measurement needs it. So the driver is Debian's, of the release that a private Asterisk is from, in a folder of
its own that this one start of Asterisk is told of.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ringcard.lab import Lab
from ringcard.private_asterisk import SUITE, AsteriskMissing, find_asterisk, package_folder, unpacked

PACKAGE = "libsqliteodbc"
DRIVER = "lib/*/odbc/libsqlite3odbc.so"
ABSENT = f"For func_odbc: fetching {PACKAGE} from Debian {SUITE} (once)."
MODULES = ("res_odbc", "res_odbc_transaction", "func_odbc")


def find_driver(tell: Callable[[str], None], *, fetch: bool) -> Path | None:
    """For the Asterisk that a lab takes; None when there is none, and why is told.

    fetch: from Debian's archive when a private Asterisk needs it and it is not in the cache; without, nothing is told.
    """
    command = find_asterisk().command
    root = Path("/usr")  # of the machine's own Asterisk
    if _private(command):
        if not fetch and not package_folder(PACKAGE).is_dir():
            return None
        try:
            root = unpacked(PACKAGE, ABSENT, tell) / "usr"
        except AsteriskMissing as exc:
            tell(f"func_odbc is left out: {exc}")
            return None
    driver = next(iter(sorted(root.glob(DRIVER))), None)
    if driver is None:
        tell(f"func_odbc is left out: there is no {PACKAGE} in {root}")
    elif _private(command):
        *loader, _ = _finding(driver, command)
        needed = subprocess.run([*loader, "--list", driver], capture_output=True, text=True, check=False)
        if needed.returncode or "not found" in needed.stdout + needed.stderr:
            tell(f"func_odbc is left out, its driver is of another release; delete {package_folder(PACKAGE)}")
            return None
    return driver


def _private(command: tuple[str, ...]) -> bool:
    return len(command) > 1  # begins with the copy's own loader


def _finding(driver: Path, command: tuple[str, ...]) -> tuple[str, ...]:
    """A private Asterisk's command that finds the driver's libraries too."""
    loader, flag, libraries, program = command
    return loader, flag, f"{libraries}:{driver.parent.parent}", program


class OdbcLab(Lab):
    """${ODBC_CALLER_NAME(digits)} asks `database`."""

    def __init__(self, database: Path, driver: Path, *, dialplan: Path) -> None:
        super().__init__(dialplan=dialplan)
        self._database = database
        self._driver = driver
        if _private(self.asterisk.command):
            self.asterisk = replace(self.asterisk, command=_finding(driver, self.asterisk.command))

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
