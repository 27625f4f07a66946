"""Many telephones played by one program: each is registered under its own name, and all do the same when called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ringcard.lab import Lab
from ringcard.phones import START_S, Phone, PhoneError, _registration, _Sipp


class PhoneBank(Phone):
    """The telephones `names` at one address, which is that of telephone 200. An INVITE's address tells which it is."""

    def __init__(self, lab: Lab, names: Sequence[str], *, ring_s: float = 0.0) -> None:
        super().__init__(lab, "200", ring_s=ring_s)
        self._names = names

    async def _register(self, *, expires_s: int) -> None:
        password = self._lab.password
        scenario = _registration("[field0]", password, f"sip:[field0]@{self.address}:{self.port}", expires_s)
        asked = f"[authentication username=[field0] password={password}]"
        scenario = scenario.replace(asked, "[field1]")
        pace = ("-inf", "names", "-m", str(len(self._names)), "-r", "100")
        sipp = _Sipp(scenario, self.address, *pace, f"{self._lab.address}:5060")
        said = (f"{name};[authentication username={name} password={password}]" for name in self._names)
        sipp.file("names", ["SEQUENTIAL", *said])
        try:
            await sipp.start()
            async with asyncio.timeout(START_S + len(self._names) / 50):
                if await sipp.wait() != 0:
                    raise PhoneError(f"the telephones could not register: {sipp.complaint()}")
        finally:
            await sipp.stop()
