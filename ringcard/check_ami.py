"""Doctor's look at AMI, which sets names that come late: whether it is there and takes our user."""

from __future__ import annotations

from ari_app.ami import AmiError, AmiSession
from config.sentences import say
from config.settings import Ami
from ringcard.findings import Finding, ok, warn

NAME = say("late names")
NO_CHANNEL = "Ringcard/doctor"


async def ami(settings: Ami) -> list[Finding]:
    """Nothing when it is not used."""
    if not settings.host:
        return []
    where = f"AMI at {settings.host}:{settings.port}"
    try:
        session = await AmiSession.open(settings)
    except (AmiError, OSError) as exc:
        mend = say("Compare [ami] with /etc/asterisk/manager.conf; config/manager.conf has a sample.")
        return [warn(NAME, say("AMI: {why}", why=str(exc)), mend)]
    try:
        asked = {"Channel": NO_CHANNEL, "Variable": "CONNECTEDLINE(name)", "Value": "Ringcard"}
        answer = await session.ask("Setvar", asked)
    except (AmiError, OSError) as exc:
        return [warn(NAME, say("{where}: {why}", where=where, why=str(exc)), say("See Asterisk's log."))]
    finally:
        session.close()
    if "permission" in answer.get("message", "").lower():
        mend = say("Write: write = call, into its section in manager.conf; then: asterisk -rx 'manager reload'")
        return [
            warn(
                NAME, say("{where} does not let {username} set anything", where=where, username=settings.username), mend
            )
        ]
    return [ok(NAME, say("{where} sets them as {username}", where=where, username=settings.username))]
