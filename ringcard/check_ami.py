"""Doctor's look at AMI, which sets names that come late: whether it is there and takes our user."""

from __future__ import annotations

from ari_app.ami import AmiError, AmiSession
from config.settings import Ami
from ringcard.findings import Finding, ok, warn

NAME = "late names"
NO_CHANNEL = "Ringcard/doctor"


async def ami(settings: Ami) -> list[Finding]:
    """Nothing when it is not used."""
    if not settings.host:
        return []
    where = f"AMI at {settings.host}:{settings.port}"
    try:
        session = await AmiSession.open(settings)
    except (AmiError, OSError) as exc:
        mend = "Compare [ami] with /etc/asterisk/manager.conf; config/manager.conf has a sample."
        return [warn(NAME, f"AMI: {exc}", mend)]
    try:
        asked = {"Channel": NO_CHANNEL, "Variable": "CONNECTEDLINE(name)", "Value": "Ringcard"}
        answer = await session.ask("Setvar", asked)
    except (AmiError, OSError) as exc:
        return [warn(NAME, f"{where}: {exc}", "See Asterisk's log.")]
    finally:
        session.close()
    if "permission" in answer.get("message", "").lower():
        mend = "Write: write = call, into its section in manager.conf; then: asterisk -rx 'manager reload'"
        return [warn(NAME, f"{where} does not let {settings.username} set anything", mend)]
    return [ok(NAME, f"{where} sets them as {settings.username}")]
