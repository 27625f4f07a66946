"""Fetches what the desk's pages use from others and lays it out in desk/static/vendor, which no commit holds.

package.json pins each package and package-lock.json the bytes of each; npm of the virtual environment fetches them
outside the tree, and the few files that pages ask for are copied. `build.py` builds, `build.py --current` only answers
by its status whether there is nothing to do. With `--tests` also what only the tests in a browser use, which no page
and no release has.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"
STAMP = VENDOR / ".built-from"
FOR_TESTS = HERE.parents[1] / ".cache" / "assets"

FILES = {
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap.min.css",
    "bootstrap/dist/css/bootstrap.rtl.min.css": "bootstrap.rtl.min.css",
    "bootstrap-icons/font/bootstrap-icons.min.css": "bootstrap-icons.min.css",
    "bootstrap-icons/font/fonts/bootstrap-icons.woff2": "fonts/bootstrap-icons.woff2",
}
"""Path in node_modules: path in the vendor folder."""

TEST_FILES = {"axe-core/axe.min.js": "axe.min.js"}
"""The same, into FOR_TESTS."""

FOREIGN_FONT = re.compile(r"@import\s+url\([^)]*\);?")
"""Designs fetch their fonts from a third party: that tells it who visits, and offline it holds up the page."""

SOURCE_MAP = re.compile(r"^(/\*|//)# sourceMappingURL=.*$", re.MULTILINE)
"""Maps are not copied, so nothing may ask for them."""


def main() -> int:
    tests = "--tests" in sys.argv[1:]
    if "--current" in sys.argv[1:]:
        return 0 if is_current(tests) else 1
    with tempfile.TemporaryDirectory(prefix="ringcard-assets-") as name:
        modules = fetch(Path(name), tests)
        fresh = Path(name) / "vendor"
        for source, target in wanted(modules):
            copy(source, fresh / target)
        (fresh / STAMP.name).write_text(origin())
        if tests:
            lay_out_tests(modules)
        replace_vendor(fresh)
    return 0


def is_current(tests: bool) -> bool:
    stamps = (STAMP, FOR_TESTS / STAMP.name) if tests else (STAMP,)
    return all(stamp.is_file() and stamp.read_text() == origin() for stamp in stamps)


def origin() -> str:
    """What the vendor folder follows from: the locked packages and this program."""
    made_from = (HERE / "package-lock.json", Path(__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()


def fetch(folder: Path, tests: bool) -> Path:
    """The packages of the lock in `folder`; none of their scripts is run. Exits with npm's status when npm fails."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    # npm brings a list of certificate authorities of its own; the machine's is the one that its owner keeps.
    environ = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    command = [npm(), "ci", "--ignore-scripts", "--no-progress", *(() if tests else ("--omit=dev",))]
    done = subprocess.run(command, cwd=folder, env=environ, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return folder / "node_modules"


def npm() -> str:
    """The npm of the virtual environment, so that everyone builds with the same one."""
    beside = Path(sys.executable).parent / "npm"
    if not beside.is_file():
        sys.exit(f"there is no npm beside {sys.executable}: install requirements.lock into this environment")
    return str(beside)


def wanted(modules: Path) -> Iterator[tuple[Path, str]]:
    for source, target in FILES.items():
        yield modules / source, target
    for design in sorted((modules / "bootswatch" / "dist").iterdir()):
        yield design / "bootstrap.min.css", f"designs/{design.name}.min.css"


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".css", ".js"):
        text = FOREIGN_FONT.sub("", source.read_text(encoding="utf-8"))
        target.write_text(SOURCE_MAP.sub("", text), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def lay_out_tests(modules: Path) -> None:
    for source, target in TEST_FILES.items():
        copy(modules / source, FOR_TESTS / target)
    (FOR_TESTS / STAMP.name).write_text(origin())


def replace_vendor(fresh: Path) -> None:
    """Puts the whole folder in place at once: a build that breaks off leaves the old one."""
    VENDOR.parent.mkdir(exist_ok=True)
    beside = VENDOR.with_name("vendor.new")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(fresh, beside)
    shutil.rmtree(VENDOR, ignore_errors=True)
    beside.rename(VENDOR)


if __name__ == "__main__":
    sys.exit(main())
