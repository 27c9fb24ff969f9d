"""The voicebot as it runs in production, with a witness: `python -m anruflotse.bench.witness --config FILE`.

The same service as `anruflotse run`, in a process of its own. The only difference is a `Watcher` that writes to stdout
when what happened in which call, and how late the event loop is; one JSON object a line. Of a call only its opaque id
gets out, and the *names* of what happened: no word, no number, no concern.

    {"is": "ready", "addresses": [...], "workers": [pid, ...]}
    {"is": "notes", "notes": [[call, name, monotonic seconds], ...]}
    {"is": "loop", "late_ms": [...], "worker_late_ms": 3}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anruflotse.bench.lateness import Lateness

if TYPE_CHECKING:
    from anruflotse.app.service import Service

_FLUSH_SECONDS = 0.2
"""Written in bundles, so that the measuring costs the voicebot next to nothing."""


class Witness:
    """A `Watcher` that keeps names and times until they are taken."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._notes: list[tuple[str, str, float]] = []

    def note(self, call: str, what: str, at: float, **facts: object) -> None:
        """See `Watcher.note`. Of the facts only the type of an event or action is looked at."""
        happened = facts.get("event") if what == "event" else facts.get("action")
        name = type(happened).__name__ if what in ("event", "action") else what
        self._notes.append((call, name, at))

    def taken(self) -> list[tuple[str, str, float]]:
        """What was noted since the last time this was asked."""
        taken, self._notes = self._notes, []
        return taken


async def run(config: Path) -> None:
    """Serve until SIGTERM."""
    from anruflotse import logs, settings  # noqa: PLC0415 - as late as the service itself loads its parts
    from anruflotse.app.building import build  # noqa: PLC0415
    from anruflotse.app.service import Service  # noqa: PLC0415
    from anruflotse.clock import SystemClock  # noqa: PLC0415

    loaded = settings.load(config)
    logs.configure(loaded.logging.level, loaded.logging.format)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    witness = Witness()
    parts = await asyncio.to_thread(build, loaded, SystemClock(), (witness,))
    service = Service(parts, drain_seconds=1)
    await service.open()
    async with service, Lateness() as lateness:
        _write({"is": "ready", "addresses": list(service.line.addresses), "workers": list(service.line.pids)})
        telling = asyncio.create_task(_tell(witness, lateness, service))
        await stop.wait()
        telling.cancel()


async def _tell(witness: Witness, lateness: Lateness, service: Service) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        if notes := witness.taken():
            _write({"is": "notes", "notes": notes})
        late = [round(ms, 2) for ms in lateness.taken()]
        _write({"is": "loop", "late_ms": late, "worker_late_ms": service.line.health().late_ms})


def _write(record: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run it. What keeps the service from starting goes to stderr as one sentence, exit code 3."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    try:
        asyncio.run(run(parser.parse_args().config))
    except Exception as error:  # noqa: BLE001 - whatever it is, the one who started us shows it
        sys.stderr.write(f"{error}\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
