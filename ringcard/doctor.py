"""`ringcard doctor`: every link between a customer's call and the name on the phone, seen one by one.

Each check looks at the real thing, changes nothing, and ends within seconds whatever is frozen. Links that depend on
one that is broken are left out, so that the first mend is the one to do.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from config.sentences import say
from config.settings import Settings
from ringcard.check_ami import ami
from ringcard.check_asterisk import asterisk
from ringcard.check_doors import doors
from ringcard.check_fields import card_fields
from ringcard.check_figures import figures
from ringcard.check_machine import machine
from ringcard.check_records import records
from ringcard.check_redis import redis
from ringcard.check_sources import sources
from ringcard.findings import Finding, render, would_ring

__all__ = ["Finding", "examine", "render", "would_ring"]


async def examine(settings: Settings, file: Path | None = None, *, named: bool = True) -> list[Finding]:
    """All findings, in the order of the chain. Never raises: what is broken is a finding.

    Not `named`: the settings are as shipped. `file`: where they stand.
    """
    seen, kept, cached, served, filled, said = await asyncio.gather(
        asyncio.to_thread(records, settings),
        asyncio.to_thread(sources, settings),
        redis(settings),
        doors(settings, file),
        card_fields(settings),
        figures(settings),
    )
    called, late = await asyncio.gather(asterisk(settings, seen.phones), ami(settings.ami))
    for node in settings.nodes:
        further = await asterisk(settings.at(node), [])
        called += [replace(finding, name=say("{node}: {name}", node=node, name=finding.name)) for finding in further]
    return [*machine(settings, named), *seen.findings, *kept, *cached, *called, *late, *served, *filled, *said]
