"""ringcard/asterisk_side.py: what is written for each kind of PBX, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from config.asterisk_files import section, sections
from config.settings import Asterisk
from lookup.channel_values import INBOUND
from ringcard.asterisk_side import FREEPBX, NotPossible, Pbx, Plan, plan

ROOT = Path(__file__).parents[2]
DIALPLAN = str(ROOT / "dialplan" / "ringcard.conf")
PJSIP = """[line](!)
type = endpoint
context = from-provider
[provider](line)
aors = provider
[provider]
type = aor
[101]
type = endpoint
context = internal
"""
RECORDERS = {"res_cdrel_custom.so", "cel_custom.so"}


def pbx(files: Mapping[str, str], modules: set[str] = RECORDERS) -> Pbx:
    return Pbx(
        read=lambda name: files.get(name, ""),
        shipped=lambda name: (ROOT / "config" / name).read_text(encoding="utf-8"),
        modules=frozenset({"app_dial.so", "app_stasis.so", *modules}),
        needed=("app_dial.so", "app_stasis.so", "func_cut.so"),
        dialplan=DIALPLAN,
    )


def applied(files: Mapping[str, str], made: Plan) -> dict[str, str]:
    return {**files, **made.files, **made.trunk}


def told(made: Plan) -> Asterisk:
    """The settings as they are then."""
    said = made.settings
    return Asterisk(password=said.get("password", ""), cel_file=said["cel_file"])


def test_an_asterisk_that_has_nothing_gets_all_and_the_second_time_nothing() -> None:
    files = {"pjsip.conf": PJSIP, "modules.conf": "[modules]\nautoload = no\nload = app_dial.so\n"}
    made = plan(pbx(files), Asterisk(), trunk="provider")
    ours = section(made.files["ari.conf"], "ringcard").values
    assert made.settings == {"password": ours["password"], "cel_file": "/var/log/asterisk/cel-custom/ringcard.csv"}
    assert len(ours["password"]) > 20
    assert section(made.files["http.conf"], "general").values == {
        "enabled": "yes",
        "bindaddr": "127.0.0.1",
        "bindport": "8088",
    }
    assert section(made.files["modules.conf"], "modules").all_of("load") == [
        "app_dial.so",
        "app_stasis.so",
        "res_cdrel_custom.so",
        "cel_custom.so",
    ]
    assert made.files["extensions.conf"] == (
        f'[globals]\nRINGCARD_BEFORE = from-provider\n\n#tryinclude "{DIALPLAN}"\n'
    )
    contexts = [(each.name, each.values.get("context")) for each in sections(made.trunk["pjsip.conf"]) if each.lines]
    assert contexts == [
        ("line", "from-provider"),
        ("provider", INBOUND),
        ("provider", None),
        ("101", "internal"),
        ("global", None),
    ]
    assert section(made.trunk["pjsip.conf"], "global").values["taskprocessor_overload_trigger"] == "pjsip_only"
    assert made.folder == "/var/log/asterisk/cel-custom"
    assert made.commands == [
        "module reload http",
        "module reload res_ari.so",
        "module load app_stasis.so",
        "module load res_cdrel_custom.so",
        "module load cel_custom.so",
        "module reload cel",
        "module reload res_pjsip.so",
        "dialplan reload",
    ]
    again = plan(pbx(applied(files, made)), told(made), trunk="provider")
    assert (again.files, again.trunk, again.settings, again.by_hand) == ({}, {}, {}, [])


def test_what_a_company_has_stays() -> None:
    files = {
        "http.conf": "[general]\nenabled = yes\nbindaddr = 0.0.0.0\nbindport = 9088\nprefix = pbx\n",
        "ari.conf": "[general]\nenabled = yes\n[ringcard]\ntype = user\npassword_format = plain\npassword = known\n",
        "cel.conf": "[general]\nenable = yes\napps = all\nevents = ALL\n",
        "cel_custom.conf": "[mappings]\nMaster.csv => ${X}\n",
        "asterisk.conf": "[directories]\nastlogdir => /var/log/pbx\n",
        "modules.conf": "[modules]\nautoload = yes\nnoload = app_stasis.so\n",
        "extensions.conf": "[globals]\nRINGCARD_BEFORE = mine\n",
    }
    made = plan(pbx(files), Asterisk())
    assert set(made.files) == {"cel_custom.conf", "extensions.conf"}
    assert made.settings == {
        "password": "known",
        "ari_url": "http://127.0.0.1:9088/pbx/ari",
        "cel_file": "/var/log/pbx/cel-custom/ringcard.csv",
    }
    assert set(section(made.files["cel_custom.conf"], "mappings").values) == {"Master.csv", "ringcard.csv"}
    assert made.by_hand == ["modules.conf keeps out what Ringcard needs; take away: noload = app_stasis.so"]


def test_without_a_trunk_it_says_which_there_are() -> None:
    made = plan(pbx({"pjsip.conf": PJSIP}), Asterisk(password="x"))
    assert made.by_hand == [
        "No trunk's calls come to Ringcard yet: ringcard init --trunk NAME. In pjsip.conf are: "
        "provider (its calls go to from-provider), 101 (its calls go to internal)."
    ]
    assert not made.trunk
    assert "RINGCARD_BEFORE" not in made.files["extensions.conf"]


def test_the_password_of_the_settings_counts_more_than_that_of_ari_conf_and_the_samples_for_nothing() -> None:
    files = {"ari.conf": "[ringcard]\ntype = user\npassword = theirs\n"}
    made = plan(pbx(files), Asterisk(password="ours"))
    assert section(made.files["ari.conf"], "ringcard").values["password"] == "ours"
    assert "password" not in made.settings
    sample = {"ari.conf": (ROOT / "config" / "ari.conf").read_text(encoding="utf-8")}
    assert plan(pbx(sample), Asterisk()).settings["password"] != "change-me"


@pytest.mark.parametrize(
    ("there", "then"), [("", "pjsip_only"), ("global", "pjsip_only"), ("none", "none"), ("pjsip_only", "pjsip_only")]
)
def test_only_sips_own_queues_may_hold_calls_up(there: str, then: str) -> None:
    said = f"taskprocessor_overload_trigger = {there}\n" if there else ""
    files = {"pjsip.conf": f"[ours]\ntype = global\n{said}[global]\ntype = system\n"}
    made = plan(pbx(files), Asterisk(password="x"))
    after = applied(files, made)["pjsip.conf"]
    assert section(after, "ours").values == {"type": "global", "taskprocessor_overload_trigger": then}
    assert section(after, "global").values == {"type": "system"}


@pytest.mark.parametrize(
    ("trunk", "before", "extensions", "words"),
    [
        ("nobody", "", "", "no endpoint 'nobody'"),
        ("provider", "", "[globals]\nRINGCARD_BEFORE = other\n", "one context for all trunks"),
        ("ours", "", "", "say where they went, with --before"),
    ],
)
def test_what_cannot_be_is_said(trunk: str, before: str, extensions: str, words: str) -> None:
    ours = f"{PJSIP}[ours]\ntype = endpoint\ncontext = {INBOUND}\n"
    with pytest.raises(NotPossible, match=words):
        plan(pbx({"pjsip.conf": ours, "extensions.conf": extensions}), Asterisk(), trunk, before)


def test_freepbx_keeps_what_it_writes_itself() -> None:
    files = {FREEPBX: "; generated", "cel_general_custom.conf": "", "globals_custom.conf": "MINE = 1\n"}
    made = plan(pbx(files), Asterisk(password="x"))
    assert made.files["cel_general_custom.conf"] == "apps = stasis,dial,voicemail\n"
    assert made.files["globals_custom.conf"] == (
        "MINE = 1\nRINGCARD_BEFORE = from-trunk\nRINGCARD_OUTSIDE = from-internal\n"
    )
    assert made.files["extensions_custom.conf"] == "#tryinclude /etc/asterisk/ringcard.conf\n"
    assert INBOUND in made.files["ringcard.conf"]
    assert set(made.files) == {
        "ari_additional_custom.conf",
        "cel_custom.conf",
        "cel_general_custom.conf",
        "extensions_custom.conf",
        "globals_custom.conf",
        "ringcard.conf",
    }
    assert len(made.by_hand) == 2
    assert plan(pbx(applied(files, made)), replace(told(made), password="x")).files == {}
