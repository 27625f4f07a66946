"""Browsers are called what their owners call them."""

from __future__ import annotations

import pytest

from desk.browsers import named

MOZILLA = "Mozilla/5.0"
AS_SAFARI = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {AS_SAFARI} Chrome/150.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{MOZILLA} (Windows NT 10.0) {AS_SAFARI} Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {AS_SAFARI} Version/18.0 Safari/605.1.15", "Safari on macOS"),
        (f"{MOZILLA} (Linux; Android 15; SM-S911B) {AS_SAFARI} Chrome/150.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_0) {AS_SAFARI} CriOS/150.0 Mobile Safari/604.1", "Chrome on iPhone"),
        ("curl/8.10", "curl/8.10"),
        ("", "a browser that does not say which"),
        ("x" * 400, "x" * 60),
    ],
)
def test_a_browser_is_called_what_its_owner_calls_it(agent: str, name: str) -> None:
    assert named(agent) == name
