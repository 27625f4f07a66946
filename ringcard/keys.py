"""Secrets that nobody has to invent: made at the first start, kept in data_dir for our user alone.

Every process of one installation reads the same files, so whichever comes first makes them and the others find them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path

from config.settings import Settings, SettingsError

KEY_BYTES = 32


def with_keys(settings: Settings, *, make: bool = True) -> Settings:
    """`settings` with desk.secret and desk.dialplan_token filled; without `make`, as far as they are there.

    Raises SettingsError: one cannot be read, or data_dir cannot be written.
    """
    desk = settings.desk
    kept = _kept if make else _read
    return replace(
        settings,
        desk=replace(
            desk,
            secret=desk.secret or kept(settings.data_dir / "desk.secret"),
            dialplan_token=desk.dialplan_token or kept(settings.data_dir / "dialplan.token"),
        ),
    )


def _kept(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _read(path) or _made(path)
    except OSError as exc:
        raise SettingsError(
            f"cannot keep {path.name} in {path.parent} ({exc.strerror}); "
            "let this user write there, or set store.data_dir"
        ) from exc


def _read(path: Path) -> str:
    """Empty when it is not there yet."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as exc:
        raise SettingsError(f"cannot read {path} ({exc.strerror}); be the user that Ringcard runs as") from exc


def _made(path: Path) -> str:
    """A new secret, written whole under another name first: who comes at the same moment reads the one or the other."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable for our user alone
    with open(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    os.unlink(draft)
    return path.read_text(encoding="ascii").strip()
