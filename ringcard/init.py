"""`ringcard init`: shows what Asterisk's configuration lacks for Ringcard, and writes it when it is told to.

Each file that is changed is kept beside as it was (NAME.before-ringcard). The trunk comes last, once Asterisk knows our
part of the dialplan: until then every call goes where it went.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import tomlkit

from config.asterisk_files import section
from config.settings import Settings
from lookup import channel_values as names
from ringcard.asterisk_side import NotPossible, Pbx, Plan, plan
from ringcard.check_asterisk import FALLBACK, FOR_STATES, MODULES
from ringcard.people import without_people

CHECKOUT = Path(__file__).resolve().parent.parent
KEPT = ".before-ringcard"
MODULE_PLACES = ("/usr/lib/*/asterisk/modules", "/usr/lib*/asterisk/modules")
CLI_S = 20.0


@dataclass(frozen=True)
class Asked:
    """What the command line says. `program` is asterisk, for its -rx."""

    folder: Path
    settings_file: Path
    trunk: str = ""
    before: str = ""
    yes: bool = False
    program: tuple[str, ...] = ("asterisk",)


def init(asked: Asked, settings: Settings, say: Callable[[str], None], confirm: Callable[[str], bool]) -> int:
    """Exit status: 0 all is written or was right, 1 not. Raises NotPossible."""
    if not (asked.folder / "asterisk.conf").is_file():
        raise NotPossible(f"{asked.folder} has no asterisk.conf; name Asterisk's folder with --asterisk")
    made = plan(_pbx(asked), settings.asterisk, asked.trunk, asked.before)
    password = made.settings.get("password") or settings.asterisk.password
    changes = [*_changes(asked, made)]
    for change in changes:
        say(change.shown().replace(password, "*" * 8) if password else change.shown())
    if not changes:
        say(f"{asked.folder} has all that Ringcard needs.")
    elif not asked.yes and not confirm("Write this, and have Asterisk read it?"):
        say("Nothing was written.")
        return 1
    else:
        _carry_out(asked, made, changes, say)
    for what in made.by_hand:
        say(f"By hand: {what}")
    say("Next: ringcard doctor says whether a call would work, and what is still missing.")
    if missing := without_people(settings):
        say(missing)
    return 0


def _pbx(asked: Asked) -> Pbx:
    directories = section(_read(asked.folder / "asterisk.conf"), "directories")
    told = directories.values.get("astmoddir") if not directories.is_template else None
    there = [Path(told)] if told else [path for place in MODULE_PLACES for path in Path("/").glob(place[1:])]
    modules = frozenset(path.name for folder in there for path in folder.glob("*.so"))
    needed = {name for wanted in (MODULES, FOR_STATES, *FALLBACK.values()) for name in wanted}
    return Pbx(
        read=lambda name: _read(asked.folder / name),
        shipped=lambda name: _read(CHECKOUT / "config" / name),
        modules=modules,
        needed=tuple(f"{name}.so" for name in sorted(needed)),
        dialplan=str(CHECKOUT / "dialplan" / "ringcard.conf"),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise NotPossible(f"cannot read {path} ({exc.strerror}); be root, or Asterisk's user") from exc


# --- what changes


@dataclass(frozen=True)
class Change:
    path: Path
    before: str  # as it is, or what it is made from
    after: str
    last: bool = False  # once Asterisk has read the others

    def shown(self) -> str:
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(unified_diff(before, after, str(self.path), f"{self.path}, new", n=2))


def _changes(asked: Asked, made: Plan) -> Iterator[Change]:
    for name, text in made.files.items():
        yield Change(asked.folder / name, _read(asked.folder / name), text)
    if made.settings:
        before = _read(asked.settings_file) or _read(CHECKOUT / "config" / "ringcard.toml")
        yield Change(asked.settings_file, before, with_settings(before, made.settings))
    for name, text in made.trunk.items():
        yield Change(asked.folder / name, made.files.get(name) or _read(asked.folder / name), text, last=True)


def with_settings(text: str, values: Mapping[str, str]) -> str:
    """The same file with these values under [asterisk]; its comments stay."""
    document = tomlkit.parse(text)
    table = document.setdefault("asterisk", tomlkit.table())
    for key, value in values.items():
        table[key] = value
    return tomlkit.dumps(document)


# --- writing it


def _carry_out(asked: Asked, made: Plan, changes: list[Change], say: Callable[[str], None]) -> None:
    for change in changes:
        if not change.last:
            _write(asked, change, say)
    _make_folder(asked, Path(made.folder))
    if not _answers(asked):
        _write_last(asked, changes, say)
        say("Asterisk does not run, or is not ours to ask; when it starts it reads all this. Until then calls wait.")
        return
    for command in made.commands:
        _tell(asked, command, say)
    if any(change.last for change in changes):
        if names.INBOUND not in _cli(asked, f"dialplan show {names.INBOUND}"):
            raise NotPossible(
                f"Asterisk has read the dialplan anew and does not know {names.INBOUND}, so the trunk stays as it was; "
                f"let Asterisk's user read {CHECKOUT / 'dialplan' / 'ringcard.conf'}, and start this again"
            )
        _write_last(asked, changes, say)
        _tell(asked, "module reload res_pjsip.so", say)


def _write_last(asked: Asked, changes: list[Change], say: Callable[[str], None]) -> None:
    for change in changes:
        if change.last:
            _write(asked, change, say)


def _write(asked: Asked, change: Change, say: Callable[[str], None]) -> None:
    """Whole or not at all; a new file belongs to whom asterisk.conf belongs, and nobody else reads it."""
    path = change.path
    like = path if path.exists() else (asked.folder / "asterisk.conf" if path.parent == asked.folder else None)
    kept = path.with_name(path.name + KEPT)
    try:
        if path.exists() and not kept.exists():
            shutil.copy2(path, kept)
            _give_to(kept, path)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(change.after)
        if like is not None:
            _give_to(Path(draft), like)
        if path.exists():
            shutil.copymode(path, draft)
        elif like is not None:
            os.chmod(draft, 0o640)
        os.replace(draft, path)
    except OSError as exc:
        raise NotPossible(f"cannot write {path} ({exc.strerror}); be root, or Asterisk's user") from exc
    say(f"written: {path}")


def _give_to(path: Path, like: Path) -> None:
    owner = like.stat()
    with contextlib.suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)


def _make_folder(asked: Asked, folder: Path) -> None:
    """Asterisk does not make it. It belongs to whom Asterisk's log belongs."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=0o750, parents=True)
        _give_to(folder, folder.parent)
    except OSError as exc:
        raise NotPossible(f"cannot make {folder} ({exc.strerror}); be root, or Asterisk's user") from exc


# --- Asterisk's command line


def _cli(asked: Asked, command: str) -> str:
    """Empty when Asterisk does not answer."""
    words = [*asked.program, "-C", str(asked.folder / "asterisk.conf"), "-rx", command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=CLI_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _answers(asked: Asked) -> bool:
    return "Asterisk" in _cli(asked, "core show version")


def _tell(asked: Asked, command: str, say: Callable[[str], None]) -> None:
    answer = " ".join(_cli(asked, command).split())
    say(f"asterisk -rx '{command}'{': ' + answer[:100] if answer else ''}")


def confirmed(question: str) -> bool:
    """Asks at the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        print(f"{question} There is no terminal to answer at; start it again with --yes.")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
