"""One library reads numbers by itself: a program of its own, so that it may run in an environment that has that library
and nothing of ours.

`LIBRARY [patterns]` as arguments, numbers with their country as JSON on standard input, the time of each in
microseconds as JSON on standard output.
"""

import importlib
import json
import sys
import time
from typing import Any


def main() -> int:
    library = importlib.import_module(sys.argv[1])
    if sys.argv[2:] == ["patterns"]:
        library.enable_pattern_cache()
    corpus = json.load(sys.stdin)
    for numbers in corpus.values():  # metadata and patterns are loaded at their first use
        times_of(library, numbers)
    json.dump({name: times_of(library, numbers) for name, numbers in corpus.items()}, sys.stdout)
    return 0


def times_of(library: Any, numbers: list[tuple[str, str]]) -> list[float]:
    """Parse, possible, valid, E.164: what has to be known of a caller's number at the least."""
    times, kind = [], library.PhoneNumberFormat.E164
    for raw, country in numbers:
        begun = time.perf_counter_ns()
        try:
            number = library.parse(raw, country)
            if library.is_possible_number(number) and library.is_valid_number(number):
                library.format_number(number, kind)
        except library.NumberParseException:
            pass
        times.append((time.perf_counter_ns() - begun) / 1000)
    return times


if __name__ == "__main__":
    sys.exit(main())
