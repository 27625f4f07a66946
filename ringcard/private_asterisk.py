"""Finds an Asterisk to run: the one on PATH, else a private copy from Debian's archive that nothing else sees.

The private copy is the distribution's own packages, fetched by apt with settings of their own and unpacked into a cache
folder; nothing is installed, no privilege and no container is needed. The programs run through the copy's own dynamic
loader, so the libraries of this machine do not matter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SUITE = "forky"  # the first Debian release after bookworm that has an asterisk package
OLDEST = 18  # the first release with everything that the dialplan needs
SBIN = ("/usr/sbin", "/usr/local/sbin")  # not on every user's PATH
Say = Callable[[str], None]


class AsteriskMissing(Exception):
    """There is no Asterisk to run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Asterisk:
    """A program that can be started: `command` is followed by asterisk's own arguments."""

    command: tuple[str, ...]
    version: str
    modules: Path
    data: Path  # documentation, rest-api and the like

    @property
    def major(self) -> int:
        return _major(self.version)


def say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def find_asterisk(say: Say = say_on_stderr) -> Asterisk:
    """The Asterisk on PATH when it is new enough, else the private copy, made now if need be.

    Raises AsteriskMissing.
    """
    return _on_path() or _private(say)


def cache_dir() -> Path:
    """Where things live that can be made again: RINGCARD_CACHE, else the usual place of this user."""
    named = os.environ.get("RINGCARD_CACHE")
    usual = Path("/var/cache/ringcard") if os.geteuid() == 0 else Path.home() / ".cache" / "ringcard"
    path = Path(named) if named else usual
    path.mkdir(parents=True, exist_ok=True)
    return path.absolute()


@contextlib.contextmanager
def only_one(lock: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds `lock` against other processes; the kernel lets it go when we die."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _on_path() -> Asterisk | None:
    program = shutil.which("asterisk", path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    if not program:
        return None
    prefix = Path(program).resolve().parent.parent
    places = (*prefix.glob("lib*/asterisk/modules"), *prefix.glob("lib/*/asterisk/modules"))
    modules = next(iter(places), None)
    data = next((d for d in (prefix / "share/asterisk", Path("/var/lib/asterisk")) if (d / "rest-api").is_dir()), None)
    if modules is None or data is None:
        return None
    found = Asterisk((program,), _version((program,)), modules, data)
    return found if found.major >= OLDEST else None


def _private(say: Say) -> Asterisk:
    absent = f"No Asterisk {OLDEST} or newer on this machine; fetching a private copy from Debian {SUITE} (once)."
    return _inside(unpacked("asterisk", absent, say))


def unpacked(package: str, absent: str, say: Say) -> Path:
    """A folder of the cache with a Debian package and all that it needs; nothing is installed.

    When it is not there yet `absent` is said and it is fetched. Raises AsteriskMissing.
    """
    root = package_folder(package)
    busy = f"Another process is preparing {package}; waiting for it ..."
    with only_one(root.parent / f"{package}.lock", lambda: say(busy)):
        if not root.is_dir():
            _build(root, package, absent, say)
    return root


def package_folder(package: str) -> Path:
    """Where `unpacked` puts it; not there before."""
    return cache_dir() / f"{package}-{SUITE}-{platform.machine()}"


def _build(root: Path, package: str, absent: str, say: Say) -> None:
    """Fills a folder beside `root` and renames it, so that a half-made copy never bears the name."""
    for leftover in root.parent.glob(f"{root.name}.*"):
        shutil.rmtree(leftover)  # we hold the lock: whoever made it was interrupted
    work = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=root.parent))
    try:
        apt = _apt_settings(work, _mirror())
        say(absent)
        packages = _download(package, apt, work, say)
        say(f"Unpacking {len(packages)} packages ...")
        _unpack(packages, work / "root")
        (work / "root").rename(root)
        say(f"It is ready in {root}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _inside(root: Path) -> Asterisk:
    loader = next(iter(sorted(root.glob("usr/lib/*/ld-linux*.so.*"))), None)
    modules = next(iter(sorted(root.glob("usr/lib/*/asterisk/modules"))), None)
    if loader is None or modules is None:
        raise AsteriskMissing(f"{root} holds no complete Asterisk; delete that folder and start again")
    command = (str(loader), "--library-path", str(loader.parent), str(root / "usr/sbin/asterisk"))
    return Asterisk(command, _version(command), modules, root / "usr/share/asterisk")


def _version(command: Sequence[str]) -> str:
    done = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AsteriskMissing(f"{command[-1]} does not run: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip().removeprefix("Asterisk ")


def _major(version: str) -> int:
    found = re.search(r"\d+", version)
    return int(found[0]) if found else 0


def _mirror() -> str:
    """The address of the Debian archive that this machine itself installs from, as apt understands its sources."""
    release = platform.freedesktop_os_release()
    suites = (release.get("VERSION_CODENAME", ""), "stable", "testing", "unstable", "sid")
    by_hand = f"install Asterisk {OLDEST} or newer by hand (apt-get install asterisk) and start again"
    if release.get("ID") != "debian" or not shutil.which("apt-get"):
        raise AsteriskMissing(f"no Asterisk {OLDEST} or newer on PATH, and this is not Debian: {by_hand}")
    listing = _run(["apt-get", "--no-download", "--print-uris", "update"], dict(os.environ))
    for base, suite in re.findall(r"^'(.+)/dists/([^/']+)/InRelease'", listing, re.MULTILINE):
        if suite in suites:
            return str(base)
    raise AsteriskMissing(f"apt's sources name no Debian archive to take Asterisk from: {by_hand}")


def _apt_settings(work: Path, mirror: str) -> dict[str, str]:
    """An environment in which apt-get works in `work` alone: as any user, with this machine's proxy and keys."""
    for folder in ("lists/partial", "cache/archives/partial", "empty"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()  # "nothing is installed": every dependency is fetched
    (work / "sources.list").write_text(f"deb {mirror} {SUITE} main\n")
    kept = _run(["apt-config", "dump", "Acquire"], dict(os.environ)).splitlines()
    (work / "apt.conf").write_text(
        "\n".join(line for line in kept if not line.startswith("Acquire::IndexTargets"))
        + f"""
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::State::extended_states "{work}/extended_states";
Dir::Cache "{work}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "{work}";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "{work}/empty";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "{work}/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{work}/empty";
APT::Sandbox::User "";
APT::Install-Recommends "false";
"""
    )
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _download(package: str, env: dict[str, str], work: Path, say: Say) -> list[Path]:
    say(f"Reading the package list of {SUITE} ...")
    _run(["apt-get", "-q", "update", "-o", "APT::Update::Error-Mode=any"], env)
    plan = _run(["apt-get", "-q", "-y", "--print-uris", "install", package], env)
    sizes = [int(size) for size in re.findall(r"^'\S+' \S+\.deb (\d+) ", plan, re.MULTILINE)]
    say(f"Downloading {len(sizes)} packages, {sum(sizes) / 1e6:.0f} MB ...")
    _run(["apt-get", "-q", "-y", "--download-only", "install", package], env)
    return sorted((work / "cache/archives").glob("*.deb"))


def _unpack(packages: Sequence[Path], root: Path) -> None:
    root.mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda deb: _run(["dpkg-deb", "-x", str(deb), str(root)], dict(os.environ)), packages))
    for unread in ("doc", "man", "locale", "perl"):
        shutil.rmtree(root / "usr/share" / unread, ignore_errors=True)


def _run(command: Sequence[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        told = "\n  ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
        raise AsteriskMissing(
            f"could not fetch packages from Debian {SUITE}: '{' '.join(command[:5])}' failed:\n  {told}\n"
            f"Check this machine's network and apt sources, or install Asterisk {OLDEST} or newer by hand."
        )
    return done.stdout
