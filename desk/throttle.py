"""Slowing down whoever guesses passwords: after some tries for free, each further one doubles the wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FORGOTTEN_S = 900.0
MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class _Tries:
    count: int
    last_s: float


class Throttle:
    """Tries by key (a login, an address). In this process only; `free` tries, then 1, 2, 4 ... `longest_s` seconds."""

    def __init__(self, free: int, longest_s: float) -> None:
        self._free = free
        self._longest_s = longest_s
        self._tries: dict[str, _Tries] = {}

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the next try is let through; 0: now."""
        tries = self._tries.get(key)
        if tries is None or tries.count < self._free:
            return 0.0
        pause = min(self._longest_s, 2.0 ** min(tries.count - self._free, 30))
        return max(0.0, tries.last_s + pause - now_s)

    def take(self, key: str, now_s: float) -> None:
        """Count a try before its outcome is known, so that many at once are not all for free."""
        tries = self._tries.pop(key, None) or _Tries(0, now_s)
        self._tries[key] = _Tries(tries.count + 1, now_s)
        self._forget_old(now_s)

    def give_back(self, key: str) -> None:
        """The latest try was no guess; the others before it still count."""
        tries = self._tries.get(key)
        if tries:
            self._tries[key] = _Tries(tries.count - 1, tries.last_s)

    def clear(self, key: str) -> None:
        """None of the tries counts any more."""
        self._tries.pop(key, None)

    def _forget_old(self, now_s: float) -> None:
        """The oldest tries come first, because each one is put at the end."""
        while self._tries:
            key, tries = next(iter(self._tries.items()))
            if len(self._tries) <= MOST_KEYS and now_s - tries.last_s <= FORGOTTEN_S:
                return
            del self._tries[key]
