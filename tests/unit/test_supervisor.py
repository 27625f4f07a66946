"""ringcard/supervisor.py: which processes the settings want."""

from __future__ import annotations

from config.settings import parse
from ringcard.supervisor import processes

OTHERS = [("agi",), ("desk",), ("worker",)]


def test_one_of_each_where_nothing_is_said() -> None:
    assert processes(parse({})) == [("ari",), *OTHERS]


def test_several_without_a_name_are_one_and_those_that_stand_by() -> None:
    assert processes(parse({"asterisk": {"ari_workers": 2}})) == [("ari",), ("ari",), *OTHERS]


def test_several_with_a_name_share_the_calls_of_each_node() -> None:
    settings = parse(
        {"asterisk": {"ari_workers": 2, "worker": "west"}, "nodes": {"branch": {"ari_url": "http://b/ari"}}}
    )
    assert processes(settings) == [
        ("ari", "--worker", "west-1"),
        ("ari", "--worker", "west-2"),
        ("ari", "--node", "branch", "--worker", "west-1"),
        ("ari", "--node", "branch", "--worker", "west-2"),
        *OTHERS,
    ]
