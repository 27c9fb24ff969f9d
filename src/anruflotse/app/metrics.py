"""What the service counts and times, for Prometheus: no label leads to a call."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from anruflotse.conversation.actions import Count, Play, Transfer
from anruflotse.conversation.events import TurnEnded

SECONDS: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3, 2.0, 3.0, 5.0, 8.0)


class Metrics:
    """A `Watcher` that turns what it sees into Prometheus metrics, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self.calls = Gauge("anruflotse_calls", "Calls under way.", registry=self.registry)
        self.store_up = Gauge(
            "anruflotse_record_store_up", "1 while calls can be recorded, 0 while they are not.", registry=self.registry
        )
        self.not_kept = Counter(
            "anruflotse_records_not_kept", "Calls routed whose record could not be kept.", registry=self.registry
        )
        self.passed_over = Counter(
            "anruflotse_processor_refusals",
            "Times an engine or target of a processor was passed over, because no agreement allows it.",
            ["processor", "reason"],
            registry=self.registry,
        )
        self.engine_failures = Counter(
            "anruflotse_processor_failures",
            "Times an engine of a processor failed or was too slow, and the local one took over.",
            ["processor"],
            registry=self.registry,
        )
        self._ended = Counter("anruflotse_calls_ended", "Calls by how they ended.", ["outcome"], registry=self.registry)
        self._thinking = Histogram(
            "anruflotse_answer_seconds",
            "From the end of a caller's turn to the next prompt or transfer.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._turn_ended: dict[str, float] = {}

    def note(self, call: str, what: str, at: float, **facts: object) -> None:
        """See `Watcher.note`."""
        happened = facts.get("event") if what == "event" else facts.get("action")
        if isinstance(happened, TurnEnded):
            self._turn_ended[call] = at
        elif isinstance(happened, Play | Transfer):
            ended = self._turn_ended.pop(call, None)
            if ended is not None:
                self._thinking.observe(at - ended)
        elif isinstance(happened, Count):
            self._turn_ended.pop(call, None)
            self._ended.labels(happened.tally.value).inc()
        if what == "not_kept":
            self.not_kept.inc()
