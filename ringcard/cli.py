"""The command: `ringcard <what> ...`. Reads the settings, opens what is asked for, says what happened.

Exit status: 0 done, 1 it could not be done (the message says what to do), 2 the command line was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from config import logging as logs
from config.languages import LANGUAGES
from config.settings import DEFAULT_PATH, Settings, SettingsError, company_is_named, load, settings_file
from ringcard.keys import with_keys

log = logging.getLogger(__name__)

Command = Callable[[argparse.Namespace, Settings], int]

HOW_TO_NAME_IT = (
    "start ringcard where yours is, or name it: ringcard --config FILE ...; the first is a copy of config/ringcard.toml"
)

# Each command imports what it needs when it runs: `ringcard lookup` should not wait for a web framework.


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_args(arguments)
    command: Command | None = getattr(args, "command", None)
    if command is None:
        parser.print_help()
        return 2
    try:
        if args.writes and not company_is_named(args.config):
            raise SettingsError(f"there is no {DEFAULT_PATH} here; {HOW_TO_NAME_IT}")
        settings = load(args.config)
        logs.setup(settings.log)
        return command(args, settings)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except _foreseen() as exc:
        print(f"ringcard: {exc}", file=sys.stderr)
        return 1


def _foreseen() -> tuple[type[Exception], ...]:
    """Errors that say in their message what to do; anything else is our mistake and shows its traceback."""
    foreseen: list[type[Exception]] = [SettingsError]
    for module, name in (
        ("records.errors", "RecordsError"),
        ("ringcard.asterisk_side", "NotPossible"),
        ("ringcard.lab", "LabError"),
        ("ringcard.private_asterisk", "AsteriskMissing"),
        ("ringcard.demo", "DemoError"),
        ("ringcard.phones", "PhoneError"),
        ("ringcard.serving", "StartError"),
        ("agi.server", "PortTaken"),
    ):
        if module in sys.modules and hasattr(sys.modules[module], name):
            foreseen.append(getattr(sys.modules[module], name))
    return tuple(foreseen)


# --- commands ---


def run(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard import compose
    from ringcard.people import without_people
    from ringcard.serving import serve
    from ringcard.supervisor import supervise

    settings = with_keys(settings)
    if args.role is None:
        if compose.migrate_or_say(settings) and (missing := without_people(settings)):
            log.warning(missing)
        own = ["--config", str(args.config)] if args.config else []
        serve(lambda stop: supervise(settings, own, stop))
    else:
        if args.node and args.node not in settings.asterisks:
            raise SettingsError(f"no node {args.node!r}; known: {', '.join(settings.asterisks)}")
        serve(lambda stop: compose.ROLES[args.role](settings.at(args.node, args.worker), stop))
    return 0


def migrate(args: argparse.Namespace, settings: Settings) -> int:
    from records.database import open_database
    from records.migrate import migrate as migrate_database

    engine = open_database(settings.database_url)
    try:
        migrate_database(engine)
    finally:
        engine.dispose()
    print("The database is up to date.")
    return 0


def init(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.init import Asked, confirmed
    from ringcard.init import init as prepare

    file = settings_file(args.config) or DEFAULT_PATH
    program = tuple(args.program.split())
    asked = Asked(args.asterisk, file.absolute(), args.trunk, args.before, args.yes, program)
    return prepare(asked, settings, print, confirmed)


def doctor(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.doctor import examine, render, would_ring

    file = settings_file(args.config)
    findings = asyncio.run(examine(with_keys(settings, make=False), file, named=company_is_named(args.config)))
    print(render(findings, as_json=args.json))
    return 0 if would_ring(findings) else 1


def lookup(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard import compose
    from ringcard.lookup_report import explain, render

    compose.check_or_say(settings)

    async def explained() -> str:
        async with contextlib.AsyncExitStack() as stack:
            engine = await compose.open_engine(stack, settings)
            duty = await compose.open_duty(stack, settings)
            now = compose.situation(settings, duty, time.time_ns() // 1_000_000)
            return render(await explain(engine, settings, args.number, args.trunk, args.did, now), as_json=args.json)

    print(asyncio.run(explained()))
    return 0


def route(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard import compose
    from ringcard.route_report import explain, render

    compose.check_or_say(settings)

    async def explained() -> str:
        async with contextlib.AsyncExitStack() as stack:
            engine = await compose.open_engine(stack, settings)
            duty = (await compose.open_duty(stack, settings)).now
            return render(
                await explain(engine, settings, duty, args.number, args.at, args.did, args.trunk), as_json=args.json
            )

    print(asyncio.run(explained()))
    return 0


def simulate(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.simulating import main_simulate

    return main_simulate(settings, args)


def import_(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.importing import main_import

    return main_import(settings, args)


def source(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.sourcing import main_source

    return main_source(settings, args)


def fill(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.filling import fill as fill_cache

    return fill_cache(settings, args.most)


def user(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard import people

    return people.main_user(settings, args)


def lab(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.lab import main_lab

    return main_lab(args.number)


def demo(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.demo import main_demo

    return main_demo(desk_port=args.port, calls=args.calls, spoken=args.language)


def call(args: argparse.Namespace, settings: Settings) -> int:
    from ringcard.demo import ring

    return ring(args.number, args.did)


WRITE = (run, migrate, import_, source, user)
"""What a company keeps; by the shipped settings, in a folder that nobody meant, they do nothing."""


# --- the command line ---


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ringcard",
        description="Who is calling, on the phone and on the screen.",
        epilog="Beside your Asterisk, `ringcard doctor` says what is still missing; `ringcard demo` shows all of it.",
    )
    parser.add_argument("--config", type=Path, help="settings file (default: $RINGCARD_CONFIG, else ./ringcard.toml)")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")

    def add(name: str, command: Command, does: str, example: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=does, description=_sentence(does), epilog=f"Example: {example}")
        added.set_defaults(command=command, writes=command in WRITE)
        return added

    p = add("run", run, "run Ringcard beside your Asterisk until Ctrl-C", "ringcard run")
    p.add_argument(
        "role",
        nargs="?",
        choices=["ari", "agi", "desk", "worker"],
        help="only this process of the four: calls, the name by AGI, the web desk, the log of calls",
    )
    p.add_argument("--node", default="", help="with ari: the Asterisk of [nodes.NODE] (default: that of [asterisk])")
    p.add_argument("--worker", default="", help="with ari: its name among those that share the calls")

    p = add(
        "init", init, "show what your Asterisk lacks for Ringcard, and write it", "ringcard init --trunk my-provider"
    )
    p.add_argument("--asterisk", type=Path, default=Path("/etc/asterisk"), help="its folder (default: /etc/asterisk)")
    p.add_argument("--trunk", default="", help="the endpoint in pjsip.conf whose calls are to come to Ringcard")
    p.add_argument("--before", default="", help="the context that takes them today (default: the trunk's)")
    p.add_argument("--yes", action="store_true", help="write it without asking")
    p.add_argument("--program", default="asterisk", help=argparse.SUPPRESS)

    p = add("doctor", doctor, "check every link of the chain and say how to mend it", "ringcard doctor --json")
    p.add_argument("--json", action="store_true", help="for a program: one JSON object")

    p = add("lookup", lookup, "what a call from NUMBER would show, and why", "ringcard lookup +85512345678")
    p.add_argument("number", metavar="NUMBER", help="in quotation marks when there are blanks in it")
    p.add_argument("--trunk", default="", help="as if it came in on this trunk")
    p.add_argument("--did", default="", help="as if it called this number of ours, written as the trunk sends it")
    p.add_argument("--json", action="store_true", help="for a program: one JSON object")

    p = add(
        "route",
        route,
        "whom a call from NUMBER would ring, and why",
        "ringcard route +85512345678 --at '2026-04-14 9:30'",
    )
    p.add_argument("number", metavar="NUMBER", help="in quotation marks when there are blanks in it")
    p.add_argument(
        "--at", default="", metavar="TIME", help="like '2026-04-14 09:30', or 09:30 for today (default: now)"
    )
    p.add_argument("--did", default="", help="as if it called this number of ours (default: any that is routed)")
    p.add_argument("--trunk", default="", help="as if it came in on this trunk")
    p.add_argument("--json", action="store_true", help="for a program: one JSON object")

    p = add(
        "simulate",
        simulate,
        "a call without a telephone, on the screens of those whose phones would ring",
        "ringcard simulate +85512345678 --to 101 --talk 30",
    )
    _simulate_arguments(p)

    p = add("import", import_, "take customers in from a file", "ringcard import customers.xlsx --dry-run")
    _import_arguments(p)

    p = add("source", source, "where else customers are kept, and how it went", "ringcard source run crm --dry-run")
    _source_arguments(p)

    p = add(
        "fill", fill, "put the customers' cards into Redis, those who called last first", "ringcard fill --most 100000"
    )
    p.add_argument(
        "--most", type=_count, help="stop when so many numbers are in it (default: all, or until it is full)"
    )

    p = add("user", user, "the people who sign in, and their phones", "ringcard user add dara 'Sok Dara' --phone 101")
    _user_arguments(p)

    add("migrate", migrate, "bring the database to this version", "ringcard migrate")

    p = add("lab", lab, "start a throw-away Asterisk with a small company's dialplan", "ringcard lab")
    p.add_argument("--number", type=int, help="the N of its address 127.0.N.1")

    p = add("demo", demo, "the whole of it with trial data: a customer calls", "ringcard demo")
    p.add_argument("--port", type=_port, default=8080, help="of the desk (default 8080; another when that is taken)")
    p.add_argument("--calls", type=int, default=None, help="stop after so many calls (default: go on until Ctrl-C)")
    p.add_argument("--language", choices=LANGUAGES, default="en", help="of the company that is shown (default: en)")

    p = add("call", call, "have NUMBER call the running demo", "ringcard call 012345678")
    p.add_argument("number", metavar="NUMBER", help="a number, or: known, unknown, withheld, shared")
    p.add_argument("did", metavar="DID", nargs="?", default="", help="the number of ours that is called")
    return parser


def _simulate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="whose call it is; or the word withheld")
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--to", default="", metavar="PHONE", help="ring this phone (default: as the rules say)")
    whom.add_argument("--did", default="", metavar="NUMBER", help="as if it called this number of ours")
    parser.add_argument(
        "--outcome",
        choices=["answered", "missed", "busy", "declined"],
        default="answered",
        help="how it goes, unless somebody answers it at the desk (default: answered)",
    )
    parser.add_argument(
        "--answer-after", type=float, default=4, metavar="S", help="seconds until it is answered (default: 4)"
    )
    parser.add_argument("--talk", type=float, default=10, metavar="S", help="seconds that they talk (default: 10)")


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="CSV, XLSX or vCard: see docs/import.md")
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="'COLUMN=WHAT'",
        help="what a column is, like 'Kundennummer=external_id'; - for not used; kept for the next file like it",
    )
    parser.add_argument("--sheet", default="", help="of an XLSX file (default: the first that names customers)")
    instead = parser.add_argument_group("instead of a file").add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="the imports so far, the last ones first")
    instead.add_argument("--undo", type=int, metavar="N", help="take import N back")
    instead.add_argument(
        "--resume",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="finish an import that was interrupted (the last one)",
    )
    instead.add_argument("--mappings", action="store_true", help="what is kept from --map")
    instead.add_argument("--forget-mapping", type=int, metavar="N", help="keep it no longer")


def _source_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")

    def add(name: str, does: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=does, description=_sentence(does))

    p = add("list", "every source, with its customers and its last run")
    p.add_argument("--json", action="store_true", help="for a program: one JSON array")
    p = add("run", "read one now, as its turn would")
    p.add_argument("name", metavar="NAME", help="as in [sources.NAME]")
    p.add_argument("--dry-run", action="store_true", help="only say what would happen")
    p = add("forget", "remove the customers of a source, with their tasks and orders")
    p.add_argument("name", metavar="NAME")


def _user_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")

    def add(name: str, does: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=does, description=_sentence(does))

    p = add("add", "a new person; the password is asked for")
    p.add_argument("login", metavar="LOGIN", help="what they sign in as")
    p.add_argument("name", metavar="NAME", help="in quotation marks when there are blanks in it")
    p.add_argument(
        "--role",
        choices=["agent", "supervisor", "administrator"],
        default="agent",
        help="whose calls they see: their own (the default), those of their team, everybody's",
    )
    p.add_argument(
        "--phone",
        action="append",
        default=[],
        help="its name in pjsip.conf, branch/204 on another PBX, or +855... outside; may be given several times",
    )
    p.add_argument("--team", default="", help="made when there is none of that name")
    p.add_argument("--deputy", default="", help="login of who rings when this person does not answer")
    _password_file(p)
    p = add("change", "what is given holds from now on, the rest stays; '' takes a team or a deputy away")
    p.add_argument("login", metavar="LOGIN")
    p.add_argument("--name", default=None)
    p.add_argument("--role", choices=["agent", "supervisor", "administrator"], default=None)
    p.add_argument("--phone", action="append", default=None, help="all phones from now on; '' for none")
    p.add_argument("--team", default=None)
    p.add_argument("--deputy", default=None, help="login of who rings when this person does not answer")
    p.add_argument("--active", action="store_true", help="may sign in again")
    add("list", "everybody, with role, team and phones")
    p = add("password", "set a new password; it is asked for")
    p.add_argument("login", metavar="LOGIN")
    _password_file(p)
    p = add("sign-out", "end every session of a person")
    p.add_argument("login", metavar="LOGIN")
    p = add("no-second-factor", "take the second factor off: the telephone is lost, and no administrator is there")
    p.add_argument("login", metavar="LOGIN")
    p = add("deactivate", "no more sign-in, no more rung")
    p.add_argument("login", metavar="LOGIN")


def _password_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-file", type=Path, help="read the password from the first line of this file")


def _sentence(does: str) -> str:
    return f"{does[0].upper()}{does[1:]}."


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of numbers; write one like 100000")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write one from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
