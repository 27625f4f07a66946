"""What has to stand in Asterisk's configuration for Ringcard, worked out from what stands there now. Pure.

What is written comes from the files that are shipped in config/, so that it is said once. Nothing is taken away but the
context of a trunk that was named, and that one stays known as RINGCARD_BEFORE.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from config.asterisk_files import section, sections, with_ending, with_more, with_values
from config.settings import Asterisk
from lookup import channel_values as names

SAMPLE_PASSWORD = "change-me"
RECORD = "cel-custom/ringcard.csv"
RECORDERS = ("res_cdrel_custom.so", "cel_custom.so")  # since Asterisk 22.8 the second needs the first
FREEPBX = "extensions_additional.conf"
"""FreePBX writes this file itself; where it is, what a company adds has files of its own."""

Read = Callable[[str], str]
"""The text of a file by its name; empty when it is not there."""


class NotPossible(Exception):
    """The message says why, and what to do."""


@dataclass(frozen=True)
class Pbx:
    """What is there: Asterisk's own files, those that we ship, and the modules that this Asterisk could load."""

    read: Read
    shipped: Read
    modules: frozenset[str]
    needed: tuple[str, ...]  # modules
    dialplan: str  # the path of our file for extensions.conf


@dataclass
class Plan:
    """What to write. `trunk` comes last, when all else is in force: only from then on do calls come to Ringcard."""

    files: dict[str, str] = field(default_factory=dict)  # each file as it will be, by its name
    trunk: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)  # for [asterisk] of ringcard.toml
    folder: str = ""  # where Asterisk writes its own record
    commands: list[str] = field(default_factory=list)  # for asterisk -rx
    by_hand: list[str] = field(default_factory=list)


def plan(pbx: Pbx, settings: Asterisk, trunk: str = "", before: str = "") -> Plan:
    """`trunk` is the PJSIP endpoint whose calls are to come to Ringcard, `before` the context that takes them today.

    Raises NotPossible.
    """
    made = Plan()
    if pbx.read(FREEPBX):
        _freepbx(pbx, settings, made, before)
    else:
        _plain(pbx, settings, made, trunk, before)
    made.files = {name: text for name, text in made.files.items() if text != pbx.read(name)}
    return made


def _plain(pbx: Pbx, settings: Asterisk, made: Plan, trunk: str, before: str) -> None:
    text = with_values(pbx.read("ari.conf"), "general", {"enabled": "yes"})
    made.files["ari.conf"] = _let_in(text, pbx, settings, made)
    _http(pbx, settings, made)
    _own_record(pbx, settings, made)
    _load(pbx, made)
    _keep_sip_apart(pbx, made)
    text = pbx.read("extensions.conf")
    known = section(text, "globals").values.get(names.BEFORE, "")
    if trunk:
        before = _give(pbx, made, trunk, before or known)
    if before:
        text = with_values(text, "globals", {names.BEFORE: before})
    elif not known:
        made.by_hand.append(f"No trunk's calls come to Ringcard yet: ringcard init --trunk NAME. {_told(pbx)}")
    if pbx.dialplan not in text:
        text = with_ending(text, f'#tryinclude "{pbx.dialplan}"')
    made.files["extensions.conf"] = text
    made.commands = ["module reload http", "module reload res_ari.so", *made.commands, "dialplan reload"]


def _freepbx(pbx: Pbx, settings: Asterisk, made: Plan, before: str) -> None:
    made.files["ari_additional_custom.conf"] = _let_in(pbx.read("ari_additional_custom.conf"), pbx, settings, made)
    _own_record(pbx, settings, made, "cel_general_custom.conf")
    ways = {names.BEFORE: before or "from-trunk", names.OUTSIDE: "from-internal"}
    made.files["globals_custom.conf"] = with_values(pbx.read("globals_custom.conf"), "", ways)
    made.files["ringcard.conf"] = pbx.shipped(pbx.dialplan)
    including = "#tryinclude /etc/asterisk/ringcard.conf"
    made.files["extensions_custom.conf"] = with_ending(pbx.read("extensions_custom.conf"), including)
    made.commands = ["module reload res_ari.so", *made.commands, "dialplan reload"]
    made.by_hand += [
        "Settings, Advanced Settings: have the mini-HTTP server and the Asterisk REST Interface on, and apply.",
        "Connectivity, Trunks, the trunk, pjsip Settings, Advanced: "
        f"Context {names.INBOUND}, Trust RPID/PAI yes, and apply.",
    ]


def _let_in(text: str, pbx: Pbx, settings: Asterisk, made: Plan) -> str:
    """A user of ARI, with the password of ringcard.toml, else the one that is there, else a new one."""
    there = section(text, settings.username).values.get("password", SAMPLE_PASSWORD)
    ours = settings.password if settings.password != SAMPLE_PASSWORD else ""
    password = ours or (there if there != SAMPLE_PASSWORD else secrets.token_urlsafe(18))
    if password != settings.password:
        made.settings["password"] = password
    sample = section(pbx.shipped("ari.conf"), "ringcard").values
    return with_values(text, settings.username, {**sample, "password": password})


def _http(pbx: Pbx, settings: Asterisk, made: Plan) -> None:
    """Where it is served already, it stays."""
    text = pbx.read("http.conf")
    there = section(text, "general").values
    values = {**section(pbx.shipped("http.conf"), "general").values, **there, "enabled": "yes"}
    made.files["http.conf"] = with_values(text, "general", values)
    host = "127.0.0.1" if values["bindaddr"] in ("0.0.0.0", "::", "[::]") else values["bindaddr"]
    prefix = there.get("prefix", "").strip("/")
    url = f"http://{host}:{values['bindport']}{'/' + prefix if prefix else ''}/ari"
    if url != settings.ari_url and not settings.ari_url.startswith("https:"):
        made.settings["ari_url"] = url


def _own_record(pbx: Pbx, settings: Asterisk, made: Plan, freepbx: str = "") -> None:
    """Asterisk writes down what happens on its channels; in more lines than we need, where somebody wants them."""
    sample = section(pbx.shipped("cel.conf"), "general").values
    name, of = (freepbx, "") if freepbx else ("cel.conf", "general")
    text = pbx.read(name)
    there = section(text, of).values
    wanted = {"apps": _joined(there.get("apps", ""), sample["apps"])}
    if not freepbx:  # which has it on, and says with which events
        wanted = {"enable": "yes", **wanted, "events": _joined(there.get("events", ""), sample["events"])}
    made.files[name] = with_values(text, of, wanted)
    mapping = section(pbx.shipped("cel_custom.conf"), "mappings").values
    made.files["cel_custom.conf"] = with_values(pbx.read("cel_custom.conf"), "mappings", mapping, arrow="=>")
    if not settings.cel_file:
        logs = section(pbx.read("asterisk.conf"), "directories").values.get("astlogdir", "/var/log/asterisk")
        made.settings["cel_file"] = f"{logs}/{RECORD}"
    made.folder = str(Path(settings.cel_file or made.settings["cel_file"]).parent)
    made.commands += [f"module load {each}" for each in RECORDERS if each in pbx.modules] + ["module reload cel"]


def _joined(there: str, wanted: str) -> str:
    """Two lists with commas as one; what stands for all stays."""
    have = [each.strip() for each in there.split(",") if each.strip()]
    known = {each.upper() for each in have}
    if "ALL" in known:
        return there
    return ",".join([*have, *(each for each in wanted.split(",") if each.upper() not in known)])


def _load(pbx: Pbx, made: Plan) -> None:
    text = pbx.read("modules.conf")
    said = section(text, "modules")
    wanted = [each for each in (*pbx.needed, *RECORDERS) if each in pbx.modules]
    kept_out = [each for each in wanted if each in said.all_of("noload")]
    if kept_out:
        made.by_hand.append(f"modules.conf keeps out what Ringcard needs; take away: noload = {', '.join(kept_out)}")
    if said.is_on("autoload"):
        return
    there = {each for key in ("load", "preload", "require") for each in said.all_of(key)}
    missing = [each for each in wanted if each not in there and each not in kept_out]
    made.files["modules.conf"] = with_more(text, "modules", "load", missing)
    made.commands[:0] = [f"module load {each}" for each in missing if each not in RECORDERS]


def _keep_sip_apart(pbx: Pbx, made: Plan) -> None:
    """A queue that is not SIP's own may never stop SIP."""
    text = pbx.read("pjsip.conf")
    if not text:
        return
    there = next((each for each in sections(text) if each.values.get("type") == "global"), section("", "global"))
    if there.values.get("taskprocessor_overload_trigger", "global") == "global":
        sample = section(pbx.shipped("pjsip.conf"), "global").values
        made.files["pjsip.conf"] = with_values(text, there.name, sample, type="global")
        made.commands.append("module reload res_pjsip.so")


# --- the trunk


def endpoints(pbx: Pbx) -> Iterator[tuple[str, str]]:
    """The PJSIP endpoints that stand in pjsip.conf itself, each with the context that takes its calls."""
    for each in sections(pbx.read("pjsip.conf")):
        if each.values.get("type") == "endpoint" and not each.is_template:
            yield each.name, each.values.get("context", "default")


def _told(pbx: Pbx) -> str:
    listed = ", ".join(f"{name} (its calls go to {context})" for name, context in endpoints(pbx))
    return f"In pjsip.conf are: {listed}." if listed else "In pjsip.conf itself are no endpoints."


def _give(pbx: Pbx, made: Plan, trunk: str, before: str) -> str:
    """Has the trunk's calls come to us; the context that took them until now."""
    context = dict(endpoints(pbx)).get(trunk)
    if context is None:
        by_hand = f"give it context = {names.INBOUND} by hand, and what it has now to --before"
        raise NotPossible(f"no endpoint {trunk!r}; if it stands in another file, {by_hand}. {_told(pbx)}")
    if context == names.INBOUND:
        if not before:
            raise NotPossible(
                f"the calls of {trunk} come to {names.INBOUND} already; say where they went, with --before"
            )
        return before
    if before and before != context:
        raise NotPossible(
            f"the calls of {trunk} go to {context}, and those without a route to {before} (RINGCARD_BEFORE): "
            "that is one context for all trunks; have both lead to the same first"
        )
    text = made.files.get("pjsip.conf", pbx.read("pjsip.conf"))
    made.trunk["pjsip.conf"] = with_values(text, trunk, {"context": names.INBOUND}, type="endpoint")
    return context
