"""What is written in the settings holds, and what cannot work is refused in words that say what to write."""

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from config.card_fields import Field, Query
from config.display import Screen
from config.settings import KEYS_OF_A_SOURCE, Did, Node, Policy, Settings, SettingsError, Trunk, load, parse

SAMPLE = Path(config.__file__).parent / "ringcard.toml"


ERP = {"url": "sqlite:////var/lib/erp.db", "sql": "SELECT 1 AS one"}
CARDS = {"kind": "vcards", "folder": "contacts"}
TABLE = {"kind": "sql", "url": "sqlite:///crm.db", "sql": "SELECT 1"}


def refused(raw: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as error:
        parse(raw, environ)
    return str(error.value)


# --- the shipped sample ---


def test_the_shipped_file_equals_the_defaults() -> None:
    assert parse(tomllib.loads(SAMPLE.read_text(encoding="utf-8"))) == Settings()


def test_the_shipped_file_names_every_key() -> None:
    raw = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    for section in fields(Settings):
        default = getattr(Settings(), section.name)
        if is_dataclass(default):
            assert list(raw[section.name]) == [key.name for key in fields(default)]


def test_what_the_shipped_file_shows_as_an_example_is_valid_and_names_every_key() -> None:
    examples = re.sub(r"^#(?! )", "", SAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    raw = tomllib.loads(examples)
    assert parse(raw).trunks["default"] == Trunk("KH", "23", ("9",), True)
    assert parse(raw).did("85523900001") == Did("route", "Sales", "{queue}: {name}")
    assert list(raw["trunks"]["default"]) == [key.name for key in fields(Trunk)]
    assert list(raw["nodes"]["branch"]) == [key.name for key in fields(Node)]
    assert list(raw["dids"]["+85523900001"]) == [key.name for key in fields(Did)]
    for screen in (raw["phones"]["101"], raw["phone_models"]["Yealink SIP-T4*"]):
        assert list(screen) == [key.name for key in fields(Screen)]
    assert list(raw["fields"]["credit_limit"]) == [key.name for key in fields(Field)]
    assert list(raw["queries"]["erp"]) == [key.name for key in fields(Query)]
    assert {source["kind"]: frozenset(source) for source in raw["sources"].values()} == KEYS_OF_A_SOURCE
    assert {name: source.order for name, source in parse(raw).sources.items()} == {
        "crm": 1,
        "phonebook": 2,
        "directory": 3,
        "shop": 4,
    }


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{queue}: {nmae}", "{nmae}; did you mean {name}?"),
        ("{xyz}", "known are {name}, {company}, {queue}"),
        ("{name", "a brace without its other half"),
        ("Sales", 'shows nothing of the caller; write "{name}" at least'),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str, said: str) -> None:
    assert said in refused({"display": {"template": template}})
    assert said in refused({"dids": {"+85523900001": {"template": template}}})


def test_a_telephone_that_cannot_be_one_is_refused() -> None:
    assert "name of the telephone's endpoint" in refused({"phones": {"1&2": {"ascii": True}}})
    assert "how the telephone's User-Agent begins" in refused({"phone_models": {"*link": {"ascii": True}}})


def test_what_the_page_on_fields_shows_is_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fields.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 4
    settings = [parse(tomllib.loads(example)) for example in examples]
    assert settings[1].fields["grade"].choices == ("Gold", "Silver", "Bronze")
    assert settings[2].fields["balance"].query == "erp"
    assert settings[3].fields["debt"].masked == ("agent",)


def test_the_shipped_file_keeps_no_secret() -> None:
    raw = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    assert not any(raw["desk"][key] for key in ("secret", "dialplan_token"))
    assert not raw["asterisk"]["password"]


# --- what is refused ---


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"asterisk": {"usrname": "x"}}, "unknown key asterisk.usrname; did you mean username?"),
        ({"astrisk": {}}, "unknown key astrisk; did you mean asterisk?"),
        ({"log": {"zzz": 1}}, "unknown key log.zzz; known here: level, format"),
        ({"trunks": {"main": {"contry": "KH"}}}, "unknown key trunks.main.contry; did you mean country?"),
        ({"log": {"level": "loud"}}, "log.level = 'loud'; write one of 'debug', 'info', 'warning', 'error'"),
        ({"dids": {"1": {"policy": "rout"}}}, "dids.1.policy = 'rout'; write one of 'name', 'route', 'leave'"),
        ({"tiers": {"exact": "yes"}}, "tiers.exact = 'yes'; write one of 'off', 'card', 'name', 'route'"),
        ({"tiers": {"range": True}}, "tiers.range = True; write one of 'off', 'card', 'name', 'route'"),
        ({"tiers": {"probably": "off"}}, "unknown key tiers.probably; did you mean probable?"),
        ({"asterisk": {"worker": "a b"}}, "asterisk.worker = 'a b'; write letters, digits and -"),
        ({"asterisk": {"ari_workers": 0}}, "asterisk.ari_workers = 0; write a number from 1 to 32"),
        ({"nodes": {"branch": {}}}, "nodes.branch.ari_url is missing"),
        ({"nodes": {"pbx": {"ari_url": "http://b/ari"}}}, "nodes.pbx is asterisk.node as well"),
        ({"nodes": {"b": {"ari_url": "b:8088"}}}, "nodes.b.ari_url = 'b:8088' is no address"),
        ({"desk": {"port": 0}}, "desk.port = 0; write a port from 1 to 65535"),
        ({"desk": {"port": 65536}}, "desk.port = 65536; write a port"),
        ({"agi": {"port": "4573x"}}, "agi.port = '4573x'; write a number"),
        ({"routing": {"ring_s": -1}}, "routing.ring_s = -1; write a whole number, 0 or more"),
        ({"routing": {"ring_s": 1.5}}, "routing.ring_s = 1.5; write a whole number"),
        ({"routing": {"ring_s": True}}, "routing.ring_s = True; write a number"),
        ({"routing": {"ring_s": float("inf")}}, "routing.ring_s = inf; write a"),
        ({"lookup": {"breaker_s": float("nan")}}, "lookup.breaker_s"),
        ({"company": {"name": 7}}, "company.name = 7; write a text in quotes"),
        ({"company": "Angkor"}, "company must be a section: [company]"),
        ({"trunks": "main"}, "trunks must be a section: [trunks.NAME]"),
        ({"trunks": {"main": {"double_zero": "ja"}}}, "trunks.main.double_zero = 'ja'; write true or false"),
        ({"trunks": {"main": {"dial_prefixes": [9]}}}, "trunks.main.dial_prefixes must be a list of texts"),
        ({"company": {"country": "kh"}}, "company.country = 'kh'; write the two-letter country code, like 'KH'"),
        ({"trunks": {"main": {"country": "Cambodia"}}}, "trunks.main.country = 'Cambodia'; write the two-letter"),
        ({"company": {"currency": "$"}}, "company.currency = '$'; write the three-letter code"),
        (
            {"company": {"time_zone": "Asia/Angkor"}},
            "company.time_zone = 'Asia/Angkor' is no time zone; write one like",
        ),
        ({"company": {"time_zone": "../../etc/passwd"}}, "is no time zone"),
        (
            {"asterisk": {"ari_url": "127.0.0.1:8088"}},
            "asterisk.ari_url = '127.0.0.1:8088' is no address; write one that begins with http",
        ),
        (
            {"desk": {"public_url": "ftp://desk"}},
            "desk.public_url = 'ftp://desk' is no address; write one that begins with http",
        ),
        ({"desk": {"public_url": "http://[desk"}}, "desk.public_url = 'http://[desk'"),
        ({"asterisk": {"ari_url": "http://pbx:80 88/ari"}}, "asterisk.ari_url = "),
        (
            {"store": {"redis_url": "http://x"}},
            "store.redis_url = 'http://x' is no address; write one that begins with redis://",
        ),
        ({"store": {"database_url": "mysql://x"}}, "begins with sqlite:// or postgresql+psycopg://"),
        (
            {"fields": {"vip": {"type": "bool"}}},
            "fields.vip.type = 'bool'; write one of 'text', 'number', 'money', 'date'",
        ),
        ({"fields": {"VIP": {}}}, "fields.VIP: names are made of small letters, digits and _"),
        ({"fields": {"name": {}}}, "fields.name: name means something else of a customer; choose another name"),
        (
            {"fields": {"vip": {"roles": ["agents"]}}},
            "fields.vip.roles has 'agents'; write some of 'agent', 'supervisor'",
        ),
        (
            {"fields": {"debt": {"type": "money"}}},
            "debt is a built-in field, which takes only label, order, roles, masked and edits",
        ),
        ({"fields": {"debt": {"default": "none"}}}, "fields.debt.default: debt is a built-in field"),
        ({"fields": {"grade": {"type": "choice"}}}, "fields.grade is a choice; write what of: choices = ["),
        ({"fields": {"grade": {"choices": ["a"]}}}, 'fields.grade.choices go with type = "choice"'),
        ({"fields": {"limit": {"source": "erp"}}}, "fields.limit.source = 'erp'; write QUERY.COLUMN"),
        (
            {"fields": {"limit": {"source": "epr.limit"}}, "queries": {"erp": ERP}},
            "fields.limit.source = 'epr.limit': there is no [queries.epr]; did you mean erp?",
        ),
        ({"queries": {"erp": {"sql": "SELECT 1"}}}, "queries.erp.url is missing; write the database's address"),
        ({"queries": {"erp": {**ERP, "url": "erp.db"}}}, "queries.erp.url is no address"),
        ({"queries": {"erp": {**ERP, "limit_ms": 0}}}, "queries.erp.limit_ms = 0; write milliseconds from 1 to 60000"),
        ({"queries": {"erp": {**ERP, "sql": ""}}}, "queries.erp.sql is missing; write one SELECT"),
        ({"sources": {"crm": {}}}, "sources.crm.kind is missing"),
        (
            {"sources": {"crm": {"kind": "csv"}}},
            "sources.crm.kind = 'csv'; write one of 'sql', 'vcards', 'ldap', 'push'",
        ),
        ({"sources": {"My CRM": CARDS}}, "sources.My CRM: write the name in small letters"),
        ({"sources": {"a": CARDS, "b": CARDS}}, "sources.b.order = 1 is sources.a.order as well; give each another"),
        ({"sources": {"a": {**CARDS, "order": 0}}}, "sources.a.order = 0 is lookup.own_order as well"),
        ({"sources": {"a": {**CARDS, "every_s": 0}}}, "sources.a.every_s = 0; write 1 or more"),
        (
            {"sources": {"a": {**CARDS, "sql": "SELECT 1"}}},
            "sources.a.sql is nothing that a source of the kind 'vcards'",
        ),
        ({"sources": {"a": {"kind": "vcards"}}}, "sources.a.folder is missing"),
        ({"sources": {"a": {"kind": "sql", "sql": "SELECT 1"}}}, "sources.a.url or .url_file is missing"),
        ({"sources": {"a": {"kind": "push"}}}, "sources.a.token or .token_file is missing"),
        ({"sources": {"a": {**TABLE, "sql": "DELETE FROM x"}}}, "sources.a.sql must be one SELECT"),
        ({"sources": {"a": {**TABLE, "sql": "SELECT 1; DROP TABLE x"}}}, "sources.a.sql must be one SELECT"),
        (
            {"sources": {"a": {**TABLE, "sql": "SELECT :x"}}},
            "has the parameter :x; the only one that is known is :since",
        ),
        ({"sources": {"a": {**TABLE, "sql": "SELECT :since"}}}, "has :since; name its column: since_column"),
        ({"sources": {"a": {**TABLE, "since_column": "c"}}}, "has no :since; write it into its WHERE"),
        ({"sources": {"a": {"kind": "ldap", "url": "x", "base": "dc=x"}}}, "begins with ldap:// or ldaps://"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write_instead(raw: dict[str, Any], said: str) -> None:
    assert said in refused(raw)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE accounts SET balance = 0 WHERE id = :customer_id", "must be one SELECT: a query only reads"),
        ("SELECT 1; DROP TABLE accounts", "has a semicolon"),
        ("SELECT balance FROM accounts WHERE phone = '%s'", "has %s, and nothing is ever pasted"),
        (
            "SELECT balance FROM accounts WHERE phone = %s",
            "has %s, and nothing is ever pasted into SQL; write a parameter",
        ),
        ("SELECT balance FROM accounts WHERE phone = %(number)s", "has %(number)s, and nothing is ever pasted"),
        ("SELECT balance FROM accounts WHERE phone = {number}", "has {number}, and nothing is ever pasted"),
        ("SELECT balance FROM accounts WHERE phone = ':number'", "take :number out of its quotes"),
        ("SELECT balance FROM accounts WHERE phone LIKE '%' || ':number'", "take :number out of its quotes"),
        ("SELECT balance FROM accounts WHERE phone = :nubmer", "has :nubmer; known are :number, :customer_id"),
    ],
)
def test_a_query_that_pastes_or_writes_is_refused(sql: str, said: str) -> None:
    assert said in refused({"queries": {"erp": {**ERP, "sql": sql}}})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT balance FROM accounts WHERE code = :external_id",
        "select sum(x) as total from o where state = 'open; now' and phone like '%' || right(:number, 9)",
        "WITH o AS (SELECT 1 AS n) -- what's open\nSELECT n, now()::date FROM o WHERE :customer_id > 0",
        "SELECT 'it''s 12:30' AS said",
    ],
)
def test_a_query_that_reads_is_taken(sql: str) -> None:
    assert parse({"queries": {"erp": {**ERP, "sql": sql}}}).queries["erp"].sql == sql


names = st.sampled_from(
    ["company", "name", "country", "time_zone", "port", "desk", "trunks", "dids", "routing", "ring_s"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.text(max_size=3)),
    lambda inner: st.dictionaries(names | st.text(max_size=9), inner, max_size=3),
)


@given(st.dictionaries(names | st.text(max_size=9), values, max_size=3))
def test_whatever_is_written_is_settings_or_a_readable_refusal(raw: dict[str, Any]) -> None:
    try:
        settings: Settings | str = parse(raw)
    except SettingsError as error:
        settings = str(error)
    assert settings


# --- the environment ---


def test_the_environment_counts_more_than_the_file() -> None:
    environ = {
        "RINGCARD_ASTERISK__PASSWORD": "from outside",
        "RINGCARD_DESK__PORT": "9090",
        "RINGCARD_LOOKUP__BREAKER_S": "0.5",
        "RINGCARD_TRUNKS__MAIN__DOUBLE_ZERO": "false",
        "RINGCARD_TRUNKS__MAIN__DIAL_PREFIXES": "9, 0",
    }
    settings = parse({"desk": {"port": 8081, "host": "0.0.0.0"}, "trunks": {"main": {"country": "KH"}}}, environ)
    assert settings.asterisk.password == "from outside"
    assert (settings.desk.port, settings.desk.host) == (9090, "0.0.0.0")
    assert settings.lookup.breaker_s == 0.5
    assert settings.trunks["main"] == Trunk("KH", "", ("9", "0"), False)


def test_an_empty_list_can_be_given_by_the_environment() -> None:
    assert parse({}, {"RINGCARD_DESK__DIALPLAN_FROM": ""}).desk.dialplan_from == ()


def test_a_key_of_the_environment_that_does_not_exist_is_refused_too() -> None:
    assert refused({}, {"RINGCARD_DESK__PROT": "1"}) == "unknown key desk.prot; did you mean port?"
    assert "desk is not a section" in refused({"desk": 1}, {"RINGCARD_DESK__PORT": "1"})


def test_other_variables_of_the_environment_are_not_ours() -> None:
    assert parse({}, {"RINGCARD_CONFIG": "x", "RINGCARD": "x", "PATH": "x", "RINGCARD_LAB": "x"}) == Settings()


# --- the file ---


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(environ={})
    assert settings.asterisk == Settings().asterisk
    assert settings.data_dir == tmp_path / "var"


def test_the_file_is_the_one_that_was_named_else_that_of_the_environment_else_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ringcard", "environ", "named"):
        (tmp_path / f"{name}.toml").write_text(f'[company]\nname = "{name}"')
    environ = {"RINGCARD_CONFIG": str(tmp_path / "environ.toml")}
    assert load(environ={}).company.name == "ringcard"
    assert load(environ=environ).company.name == "environ"
    assert load(tmp_path / "named.toml", environ).company.name == "named"


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no settings file at .*nowhere\.toml; copy config/ringcard\.toml there"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[desk\n", "is not valid TOML"), (b"\xff\xfe", "cannot read"), (b"[desk]\nprot = 1", "did you mean port?")],
)
def test_a_file_that_cannot_be_used_is_named_in_the_error(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "ringcard.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(str(path))) as error:
        load(path, {})
    assert said in str(error.value)


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ringcard.toml"
    path.write_text('[store]\ndata_dir = "data"')
    settings = load(path, {})
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/ringcard.db"


def test_secrets_are_read_from_their_files(tmp_path: Path) -> None:
    for name in ("ari", "desk", "dialplan"):
        (tmp_path / name).write_text(f"secret of {name}\n")
    (tmp_path / "erp").write_text("sqlite:////var/lib/erp.db\n")
    path = tmp_path / "ringcard.toml"
    path.write_text(
        '[asterisk]\npassword_file = "ari"\n[desk]\nsecret_file = "desk"\ndialplan_token_file = "dialplan"\n'
        '[queries.erp]\nurl_file = "erp"\nsql = "SELECT 1 AS one"\n'
    )
    settings = load(path, {})
    assert settings.asterisk.password == "secret of ari"
    assert (settings.desk.secret, settings.desk.dialplan_token) == ("secret of desk", "secret of dialplan")
    assert settings.queries["erp"].url == "sqlite:////var/lib/erp.db"
    (tmp_path / "erp").write_text("\n")
    with pytest.raises(SettingsError, match=r"queries\.erp\.url is missing"):
        load(path, {})


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ringcard.toml"
    path.write_text('[asterisk]\npassword_file = "nowhere"')
    with pytest.raises(SettingsError, match=r"cannot read the secret file .*nowhere: No such file"):
        load(path, {})


# --- what settings answer ---


@pytest.mark.parametrize("dialled", ["+85523900001", "85523900001", "+855 23 900 001"])
def test_the_rule_of_a_number_is_found_by_its_digits(dialled: str) -> None:
    settings = parse({"dids": {"+855 23 900-001": {"policy": "route"}}})
    assert settings.did(dialled) == Did("route")


@pytest.mark.parametrize("policy", get_args(Policy))
def test_a_number_without_a_rule_has_the_companys_policy(policy: Policy) -> None:
    assert parse({"routing": {"policy": policy}}).did("+85523900009") == Did(policy)


def test_the_desk_is_reached_where_it_listens_unless_told_otherwise() -> None:
    assert parse({"desk": {"port": 81}}).public_url == "http://127.0.0.1:81"
    assert parse({"desk": {"public_url": "https://desk.example/"}}).public_url == "https://desk.example"


def test_a_hanging_redis_must_leave_the_database_time_to_answer() -> None:
    with pytest.raises(SettingsError, match="write half of that or less"):
        parse({"lookup": {"budget_ms": 80, "redis_ms": 50}})


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM x WHERE a = ';' AND b = ':x' -- ; :y",
        "with x as (select 1) select id, at::date, '12:30' from x;",
        "SELECT id /* ; :z */ FROM `a;b`",
    ],
)
def test_a_statement_may_have_in_its_texts_what_it_may_not_have_itself(statement: str) -> None:
    assert parse({"sources": {"a": {**TABLE, "sql": statement}}}).sources["a"].sql == statement


def test_a_source_is_found_beside_the_settings_with_what_must_not_stand_in_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token that is long enough\n")
    text = '[sources.shop]\nkind = "push"\ntoken_file = "token"\n[sources.book]\nkind = "vcards"\norder = 2\n'
    (tmp_path / "ringcard.toml").write_text(text + 'folder = "cards"\n')
    settings = load(tmp_path / "ringcard.toml", {})
    assert settings.sources["shop"].token == "a token that is long enough"
    assert settings.sources["book"].folder == str(tmp_path / "cards")
    assert settings.orders == {"": 0, "shop": 1, "book": 2}
    (tmp_path / "token").write_text("short")
    with pytest.raises(SettingsError, match=r"sources.shop.token is shorter than 16 characters; make one: openssl"):
        load(tmp_path / "ringcard.toml", {})


def test_a_node_has_what_is_said_of_it_and_the_rest_from_the_first() -> None:
    said = {"ari_url": "http://b/ari", "password": "other"}
    settings = parse({"asterisk": {"trunks": ["provider"], "cel_file": "here.csv"}, "nodes": {"branch": said}})
    assert list(settings.asterisks) == ["pbx", "branch"]
    branch = settings.at("branch", "w").asterisk
    assert (branch.node, branch.ari_url, branch.username, branch.password) == (
        "branch",
        "http://b/ari",
        "ringcard",
        "other",
    )
    assert (branch.trunks, branch.cel_file, branch.calls_app) == (("provider",), "", "ringcard-w")
    assert settings.at().asterisk == settings.asterisk


def test_a_nodes_password_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    (tmp_path / "r.toml").write_text('[nodes.branch]\nari_url = "http://b/ari"\npassword_file = "secret"\n')
    assert load(tmp_path / "r.toml", {}).asterisks["branch"].password == "from the file"
