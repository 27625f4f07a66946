"""A throw-away PBX: a real Asterisk with a small company's dialplan, for the demo, the tests and for trying things.

Each lab has a loopback address of its own (127.0.N.1, the usual ports), so that several stand side by side, and a
folder of its own that goes when it stops. The company's dialplan is config/lab/extensions.conf: five numbers, six
telephones.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlencode

from ringcard.private_asterisk import Asterisk, Say, cache_dir, find_asterisk, say_on_stderr

CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATES = CHECKOUT / "config" / "lab"
CEL = ("cel.conf", "cel_custom.conf")  # of config: Asterisk's own record is switched on as a company does it
DIALPLAN = CHECKOUT / "dialplan" / "ringcard.conf"
NODE = "pbx"
PHONES = ("101", "102", "103", "104", "105", "106")
DIDS = {
    "+85523900001": "menu: 1 rings phone 101, silence rings the group",
    "+85523900002": "phone 102",
    "+85523900003": "group: phones 101, 102 and 103",
    "+85523900004": "queue: phones 103 and 104",
    "+85523900005": "fax machine",
}
NUMBERS = range(10, 100)  # 127.0.0.1 and 127.0.1.1 are the machine's own
START_S = 20.0
STOP_S = 5.0

FOLDERS = ("etc", "run", "lib/agi-bin", "data/sounds", "spool/monitor", "spool/recording")
RECORDS = ("log/cdr-csv", "log/cel-custom")  # Asterisk does not make them

SILENCE = b"\xff" * 160  # 20 ms of u-law

# Asterisk reports an error for each of these that does not exist; empty ones mean "the defaults".
EMPTY_FILES = ("acl", "ccss", "pjproject", "udptl", "websocket_client")


class LabError(Exception):
    """The throw-away PBX cannot do what was asked; the message says what to do."""


class Lab:
    """One throw-away PBX. `with Lab() as lab:` starts it and takes it away again.

    number picks the address 127.0.<number>.1; without one the first free number is taken. dialplan is the file that the
    company's dialplan includes, ring_s how long the company's own extensions ring, phones are its telephones. With ami
    its manager interface is on, at port 5038. Raises LabError or AsteriskMissing.
    """

    def __init__(
        self,
        number: int | None = None,
        *,
        dialplan: Path = DIALPLAN,
        ring_s: int = 20,
        phones: Sequence[str] = PHONES,
        ami: bool = False,
        say: Say = say_on_stderr,
    ) -> None:
        self.asterisk: Asterisk = find_asterisk(say)
        self.number, self._claim = _claim(number)
        self.address = f"127.0.{self.number}.1"
        self.net = f"127.{self.number}"  # callers .100.x, .99.x, .98.x; telephones .101.x; the outside world .102.1
        self.ari_url = f"http://{self.address}:8088/ari"
        self.ari_user = "ringcard"
        self.password = secrets.token_urlsafe(12)  # of ARI and of the telephones
        self.ring_s = ring_s
        self.phones = phones
        self.dialplan = dialplan
        self.ami = ami
        self.dir = Path(tempfile.mkdtemp(prefix=f"ringcard-lab-{self.number}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        return self.asterisk.version

    @property
    def pid(self) -> int:
        """Process id of Asterisk, for tests that freeze or kill it. Raises LabError when it does not run."""
        if self._process is None:
            raise LabError("the lab's Asterisk does not run; call start()")
        return self._process.pid

    @property
    def authorization(self) -> str:
        """The Authorization header of an ARI request."""
        return "Basic " + base64.b64encode(f"{self.ari_user}:{self.password}".encode()).decode()

    # --- life

    def start(self) -> Self:
        """Returns when Asterisk takes calls and ARI answers; raises LabError with the end of its log otherwise."""
        self._write_configuration()
        with (self.dir / "log/console.log").open("ab") as console:
            self._process = subprocess.Popen(
                [*self.asterisk.command, "-C", str(self._conf), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self.dir,
                start_new_session=True,  # Ctrl-C at the terminal is ours to pass on, calls end first
            )
        _note(self.number).write_text(f"{self._process.pid}\n{self.dir}")
        try:
            self._wait_until_ready(time.monotonic() + START_S)
        except BaseException:
            self.halt()
            raise
        return self

    def stop(self) -> None:
        """Ends Asterisk and takes away everything that the lab made. May be called twice."""
        self.halt()
        shutil.rmtree(self.dir, ignore_errors=True)
        if not self._claim.closed:
            _note(self.number).unlink(missing_ok=True)
            self._claim.close()

    def halt(self) -> None:
        """Ends Asterisk alone: its folder, registrations and address stay for another start()."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)  # a test may have frozen it
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        self.halt()
        self.start()

    def wait(self) -> None:
        """Returns never, or with LabError when Asterisk ends by itself."""
        if self._process is not None:
            self._process.wait()
            raise LabError(f"the lab's Asterisk ended by itself:\n{self._last_words()}")

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # --- questions

    def cli(self, command: str) -> str:
        """What Asterisk's command line answers to `command`."""
        asked = [*self.asterisk.command, "-C", str(self._conf), "-rx", command]
        done = subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=10, check=False)
        if done.returncode:
            raise LabError(f"asterisk -rx '{command}': {(done.stdout + done.stderr).strip()}")
        return done.stdout

    def ari(self, method: str, path: str) -> tuple[int, Any]:
        """One ARI request, for questions from outside a call: the status and the decoded body."""
        with contextlib.closing(http.client.HTTPConnection(self.address, 8088, timeout=5)) as connection:
            connection.request(method, f"/ari/{path}", headers={"Authorization": self.authorization})
            reply = connection.getresponse()
            raw = reply.read()
        return reply.status, json.loads(raw) if raw and "json" in reply.getheader("Content-Type", "") else None

    def set_global(self, name: str, value: str) -> None:
        """Sets a global variable of the dialplan, as [globals] would; an empty value takes it away."""
        self.ari("POST", f"asterisk/variable?{urlencode({'variable': name, 'value': value})}")

    def leftovers(self) -> list[str]:
        """What a finished call should not leave behind: channels, bridges, subscriptions to them. Empty is good."""
        found = [f"channel {c['name']} ({c['state']})" for c in self.ari("GET", "channels")[1]]
        bridges = (b for b in self.ari("GET", "bridges")[1] if b["creator"] != "Parking")  # a parking lot stays open
        found += [f"bridge {b['id']} ({b['bridge_type']})" for b in bridges]
        for app in self.ari("GET", "applications")[1]:
            found += [f"application {app['name']} still follows channel {c}" for c in _single(app["channel_ids"])]
            found += [f"application {app['name']} still follows bridge {b}" for b in _single(app["bridge_ids"])]
        return found

    @property
    def cel_file(self) -> Path:
        """Where Asterisk writes down what happens on its channels."""
        return self.dir / "log/cel-custom/ringcard.csv"

    def log(self) -> str:
        """Asterisk's own notices, warnings and errors since the first start."""
        path = self.dir / "log/messages.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def errors(self) -> list[str]:
        return [line for line in self.log().splitlines() if "] ERROR[" in line]

    # --- inside

    @property
    def _conf(self) -> Path:
        return self.dir / "etc/asterisk.conf"

    def _write_configuration(self) -> None:
        for folder in FOLDERS + RECORDS:
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        values = {
            "DIR": str(self.dir),
            "MODULES": str(self.asterisk.modules),
            "NODE": NODE,
            "ADDRESS": self.address,
            "NET": self.net,
            "PASSWORD": self.password,
            "RING_S": str(self.ring_s),
            "AMI": "yes" if self.ami else "no",
            "DIALPLAN": str(self.dialplan),
            "PHONES": "\n".join(_phone(name) for name in self.phones),
        }
        for template in (*TEMPLATES.glob("*.conf"), *(TEMPLATES.parent / name for name in CEL)):
            (self.dir / "etc" / template.name).write_text(_filled(template.read_text(encoding="utf-8"), values))
        for name in EMPTY_FILES:
            (self.dir / f"etc/{name}.conf").touch()
        (self.dir / "data/silence.ulaw").write_bytes(SILENCE)
        self._leave_out_absent_modules()
        self._link_data()

    def _leave_out_absent_modules(self) -> None:
        listing = self.dir / "etc/modules.conf"
        lines = listing.read_text().splitlines(keepends=True)
        there = {path.name for path in self.asterisk.modules.iterdir()}
        listing.write_text("".join(line for line in lines if ".so" not in line or line.split()[-1] in there))

    def _link_data(self) -> None:
        """Asterisk's documentation and ARI descriptions where it looks for them, sounds under the name it asks for."""
        for source in self.asterisk.data.iterdir():
            link = self.dir / "data" / source.name
            if source.name != "sounds" and not link.exists():
                link.symlink_to(source)
        english = next(iter(sorted(self.asterisk.data.glob("sounds/en*"))), None)
        if english and not (self.dir / "data/sounds/en").exists():
            (self.dir / "data/sounds/en").symlink_to(english)

    def _wait_until_ready(self, deadline: float) -> None:
        """ARI answers 200 to a ping at the moment when SIP is answered too: refused, 404 and 503 come before."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ari("GET", "asterisk/ping")[0] == 200:
                    return
            if self._process is None or self._process.poll() is not None:
                raise LabError(f"Asterisk {self.version} ended while starting:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise LabError(f"Asterisk {self.version} did not get ready in {START_S:.0f} s:\n{self._last_words()}")
            time.sleep(0.01)

    def _last_words(self) -> str:
        said = (self.dir / "log/console.log").read_text(errors="replace") + self.log()
        return "\n".join(f"  {line}" for line in said.splitlines()[-15:])


def main_lab(number: int | None = None) -> int:
    """Starts one lab, says where everything is and keeps it until Ctrl-C or SIGTERM. Returns the exit status."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        with Lab(number) as lab:
            print(introduction(lab), flush=True)
            lab.wait()
    except KeyboardInterrupt:
        print("The lab is stopped; nothing of it is left.")
    return 0


def introduction(lab: Lab) -> str:
    """What somebody needs who wants to call this lab, as lines of text."""
    cli = " ".join([*lab.asterisk.command, "-C", str(lab.dir / "etc/asterisk.conf"), "-r"])
    numbers = "\n".join(f"  {did}  {what}" for did, what in DIDS.items())
    return f"""Asterisk {lab.version} is up.
SIP      {lab.address}:5060/udp
ARI      {lab.ari_url}  user {lab.ari_user}  password {lab.password}
phones   {", ".join(PHONES)}, all with that password; calls from {lab.net}.100.x come in as from a trunk
numbers
{numbers}
console  {cli}
Ctrl-C stops it."""


def _single(ids: list[str]) -> list[str]:
    """Without "all of them", as Asterisk calls that."""
    return [each for each in ids if not each.startswith("__AST_")]


def _phone(name: str) -> str:
    return (
        f"[{name}](phone)\nauth = {name}\naors = {name}\n[{name}](phone-aor)\n[{name}](phone-auth)\nusername = {name}\n"
    )


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _claim(number: int | None) -> tuple[int, IO[str]]:
    """A lab number that no other process has, held by an open lock file for as long as we live."""
    folder = cache_dir() / "labs"
    folder.mkdir(exist_ok=True)
    for candidate in NUMBERS if number is None else (number,):
        lock = (folder / f"{candidate}.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _end_orphan(candidate)
        if _ports_free(f"127.0.{candidate}.1"):
            return candidate, lock
        lock.close()
    which = "every lab address" if number is None else f"127.0.{number}.1:5060 or :8088"
    raise LabError(f"{which} is taken on this machine; stop what listens there (ss -lntup) or choose another number")


def _note(number: int) -> Path:
    """Where the pid and the folder of a running lab are noted, for whoever finds its owner dead."""
    return cache_dir() / "labs" / f"{number}.running"


def _end_orphan(number: int) -> None:
    """Ends the Asterisk of a lab whose owner was killed: we hold its lock, so nobody looks after it any more."""
    with contextlib.suppress(OSError, ValueError):
        pid, folder = _note(number).read_text().split("\n")
        shutil.rmtree(folder, ignore_errors=True)
        if folder in Path(f"/proc/{int(pid)}/cmdline").read_bytes().decode(errors="replace"):
            os.kill(int(pid), signal.SIGKILL)
            deadline = time.monotonic() + STOP_S
            while not _ports_free(f"127.0.{number}.1") and time.monotonic() < deadline:
                time.sleep(0.01)  # the last of its threads closes the sockets


def _ports_free(address: str) -> bool:
    for kind, port in ((socket.SOCK_DGRAM, 5060), (socket.SOCK_STREAM, 8088)):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
