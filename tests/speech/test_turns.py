"""The rules that cut turns, on made-up probabilities: windows of 20 ms at 8 kHz."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anruflotse.speech.seams import TurnEvent
from anruflotse.speech.turns import TurnFinder

WINDOW = 160


Told = list[tuple[int, TurnEvent, bytes]]


def run(probabilities: list[float], pause_ms: int = 400) -> tuple[TurnFinder, Told]:
    """Feed windows, the n-th filled with its number, and note at which window a turn began or ended."""
    finder, told = run_with_pauses(probabilities, pause_ms)
    return finder, [entry for entry in told if entry[1] is not TurnEvent.PAUSED]


def run_with_pauses(probabilities: list[float], pause_ms: int = 400) -> tuple[TurnFinder, Told]:
    finder = TurnFinder(8_000, WINDOW, pause_ms)
    told = [
        (number, turn.event, turn.audio.data if turn.audio else b"")
        for number, probability in enumerate(probabilities)
        for turn in finder.take(number.to_bytes(2, "little") * WINDOW, probability)
    ]
    return finder, told


def windows(audio: bytes) -> list[int]:
    return [int.from_bytes(audio[start : start + 2], "little") for start in range(0, len(audio), WINDOW * 2)]


def test_a_turn_has_its_pre_roll_and_a_short_tail() -> None:
    finder, told = run([0.0] * 50 + [0.9] * 20 + [0.0] * 40)
    assert [(number, event) for number, event, _ in told] == [
        (55, TurnEvent.SPEECH_STARTED),  # 120 ms after the onset
        (89, TurnEvent.SPEECH_ENDED),  # 400 ms after the last speech
    ]
    heard = windows(told[1][2])
    assert heard[0] in (37, 38)
    assert heard[-1] in (81, 82)
    assert finder.span == (1.0, 1.4)


def test_a_pause_is_told_early_with_the_audio_the_turn_will_have() -> None:
    _, told = run_with_pauses([0.0] * 50 + [0.9] * 20 + [0.0] * 40)
    assert [event for _, event, _ in told] == [TurnEvent.SPEECH_STARTED, TurnEvent.PAUSED, TurnEvent.SPEECH_ENDED]
    (paused_at, _, early), (ended_at, _, final) = told[1:]
    assert early == final
    assert ended_at - paused_at == 7, "150 ms before the end of the turn, which needs 400 ms of silence"


def test_every_pause_is_told_once_and_its_audio_is_all_so_far() -> None:
    _, told = run_with_pauses([0.0] * 50 + [0.9] * 20 + [0.0] * 15 + [0.9] * 20 + [0.0] * 40)
    events = [event for _, event, _ in told]
    assert events == [TurnEvent.SPEECH_STARTED, TurnEvent.PAUSED, TurnEvent.PAUSED, TurnEvent.SPEECH_ENDED]
    assert told[2][2] == told[3][2]
    assert told[2][2].startswith(told[1][2])


def test_a_click_is_no_turn_and_a_stop_consonant_does_not_break_an_onset() -> None:
    assert run([0.0] * 10 + [0.9] * 5 + [0.0] * 50)[1] == []
    assert len(run([0.0] * 10 + [0.9] * 3 + [0.0] * 4 + [0.9] * 3 + [0.0] * 50)[1]) == 2


def test_a_fading_voice_holds_the_turn_but_does_not_begin_one() -> None:
    assert run([0.45] * 200)[1] == []
    _, told = run([0.9] * 10 + [0.4] * 50 + [0.0] * 19)
    assert [event for _, event, _ in told] == [TurnEvent.SPEECH_STARTED]


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.45, 0.6, 1.0]), max_size=400), st.integers(100, 1_500))
def test_starts_and_ends_alternate_and_no_sound_is_told_twice(probabilities: list[float], pause_ms: int) -> None:
    finder, told = run(probabilities, pause_ms)
    events = [event for _, event, _ in told]
    assert events[::2] == [TurnEvent.SPEECH_STARTED] * len(events[::2])
    assert events[1::2] == [TurnEvent.SPEECH_ENDED] * len(events[1::2])
    heard = [number for _, event, audio in told if event is TurnEvent.SPEECH_ENDED for number in windows(audio)]
    assert len(heard) - len(set(heard)) <= len(events)  # a pre-roll may begin within a window, never a window earlier
    assert heard == sorted(heard)
    assert len(finder._kept) <= 30 * 16_000
