"""What the service counts and times."""

from __future__ import annotations

from prometheus_client import generate_latest

from anruflotse.app.metrics import Metrics
from anruflotse.conversation.actions import Count, Play, Prompt, Tally
from anruflotse.conversation.events import TurnEnded


def test_thinking_is_timed_from_the_end_of_a_turn_to_the_next_prompt() -> None:
    metrics = Metrics()
    metrics.note("a", "event", 10.0, event=TurnEnded())
    metrics.note("b", "action", 10.2, action=Play(Prompt.NOTICE))
    metrics.note("a", "action", 10.6, action=Play(Prompt.CONNECT))
    metrics.note("a", "action", 12.0, action=Play(Prompt.CONNECT))
    assert metrics.registry.get_sample_value("anruflotse_answer_seconds_count") == 1
    assert metrics.registry.get_sample_value("anruflotse_answer_seconds_bucket", {"le": "0.5"}) == 0
    assert metrics.registry.get_sample_value("anruflotse_answer_seconds_bucket", {"le": "0.7"}) == 1


def test_calls_are_counted_by_how_they_ended_and_nothing_leads_to_one() -> None:
    metrics = Metrics()
    for number in range(3):
        metrics.note(f"call{number}", "action", 1.0, action=Count(Tally.OBJECTION))
    metrics.note("call9", "not_kept", 1.0)
    assert metrics.registry.get_sample_value("anruflotse_calls_ended_total", {"outcome": "objection"}) == 3
    assert metrics.registry.get_sample_value("anruflotse_records_not_kept_total") == 1
    told = generate_latest(metrics.registry)
    assert not any(f"call{number}".encode() in told for number in (0, 1, 2, 9))
