"""The names under which a browser keeps tabs: the same for the same page, and saying nothing of a customer."""

from __future__ import annotations

from base64 import urlsafe_b64decode

import pytest

from desk.tab_names import Tab, TabNames
from records.errors import Refused

NAMES = TabNames("a secret of these tests")
DARA, MONY = 1, 2


@pytest.mark.parametrize(
    ("path", "query", "key"),
    [
        ("/customers/7", "", Tab("c7")),
        ("/customers/7/edit", "", Tab("c7", "/edit")),
        ("/calls/3f2b-4", "", Tab("k3f2b-4")),
        ("/tasks/12", "", Tab("t12")),
        ("/", "", None),
        ("/customers", "", None),
        ("/customers/7/numbers", "", None),
        ("/me/preferences", "", None),
        ("/customers", "q=" + "x" * 1000, None),
    ],
)
def test_a_page_has_a_name_or_is_no_tab(path: str, query: str, key: Tab | None) -> None:
    assert NAMES.of(DARA, path, query) == key
    if key:
        assert NAMES.address(DARA, key) == path


@pytest.mark.parametrize(
    "address",
    [
        "/customers?q=Sok+Rithy",
        "/calls",
        "/tasks?of=done",
        "/reports/managers?from=2026-01-01",
        "/customers/new?name=X",
    ],
)
def test_the_address_of_a_list_is_sealed_for_one_person_and_always_alike(address: str) -> None:
    path, _, query = address.partition("?")
    tab = NAMES.of(DARA, path, query)
    assert tab
    assert tab == NAMES.of(DARA, path, query)
    assert b"Rithy" not in urlsafe_b64decode(tab.key[1:])
    assert NAMES.address(DARA, tab) == address
    for other, names in ((MONY, NAMES), (DARA, TabNames("another secret"))):
        with pytest.raises(Refused):
            names.address(other, tab)


@pytest.mark.parametrize(
    "tab",
    [
        Tab(""),
        Tab("x1"),
        Tab("c"),
        Tab("c0"),
        Tab("c7", "/../../sign-out"),
        Tab("c1" + "0" * 30),
        Tab("c٣"),
        Tab("k../me"),
        Tab("t-1"),
        Tab("l"),
        Tab("l/customers"),
        Tab("lé"),
    ],
)
def test_what_no_page_was_given_leads_nowhere(tab: Tab) -> None:
    with pytest.raises(Refused):
        NAMES.address(DARA, tab)
