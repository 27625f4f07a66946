"""Lines of vCards (RFC 2426) and calendars (RFC 5545), which are written alike. Pure."""

from __future__ import annotations


def text(value: str) -> str:
    """Escaped, and in one line whatever the record holds: a line break would begin another property."""
    one_line = " ".join(value.split())
    kept = "".join(char for char in one_line if char.isprintable() or char in "\u200c\u200d")
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def folded(line: str) -> str:
    """At most 75 octets a line, never cut inside a character; with its line end."""
    pieces, piece = [], ""
    for char in line:
        if len((piece + char).encode()) > 74:
            pieces.append(piece)
            piece = ""
        piece += char
    return "\r\n ".join((*pieces, piece)) + "\r\n"
