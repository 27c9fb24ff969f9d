"""The conversation: `step(state, event) -> (state, actions)`, pure and total over every event in every stage.

The rules it keeps, whatever order events come in:

* nothing is recorded before the notice was heard to its end (promise P7);
* an objection drops everything held in the very step it is heard in, and nothing is recorded after it (P8, P9);
* no transfer begins before the recorder has confirmed its end (P4);
* every way through ends with a person, a department or the end of the call, and every detour is counted, so that
  no caller goes round in circles.
"""

from __future__ import annotations

from dataclasses import replace

from anruflotse.conversation import handover, questions
from anruflotse.conversation.actions import (
    Action,
    AwaitSpeech,
    Count,
    DropEverything,
    HangUp,
    Play,
    Prompt,
    StartRecording,
    StopPlaying,
    Tally,
)
from anruflotse.conversation.events import (
    Answered,
    Event,
    HandOverNow,
    HungUp,
    Key,
    KeyPressed,
    NoticeFinished,
    NotUnderstood,
    Picked,
    PromptFailed,
    PromptFinished,
    RecogniserFailed,
    RecorderFailed,
    RecorderStopped,
    Screened,
    Silence,
    SpeechStarted,
    TransferFailed,
    TransferSucceeded,
    TurnEnded,
    Understood,
)
from anruflotse.conversation.state import ANSWERING, LISTENING, Recorder, Stage, State

Step = tuple[State, tuple[Action, ...]]


def step(state: State, event: Event) -> Step:
    """What `event` makes of a call in `state`, and what is to be done, in order.

    Total: an event that makes no sense now (a late one, a stale one) changes nothing. After `state.ended` nothing
    happens any more.
    """
    if state.ended:
        return state, ()
    after, actions = _react(state, event)
    return after, tuple(actions)


def _react(state: State, event: Event) -> tuple[State, list[Action]]:
    match event:
        case Answered():
            return _answered(state, event)
        case NoticeFinished():
            return _notice_finished(state)
        case PromptFinished() | PromptFailed():
            return _prompt_over(state, event)
        case KeyPressed():
            return _key_pressed(state, event.key)
        case SpeechStarted() | TurnEnded() | Silence():
            return _caller_turn(state, event)
        case Screened() if event.turn is None:
            return questions.overheard(state, event)
        case Screened() | Understood() | Picked() | NotUnderstood() | RecogniserFailed():
            return _interpreted(state, event)
        case RecorderStopped() | RecorderFailed():
            return _recorder(state, event)
        case TransferSucceeded() | TransferFailed():
            return _transferred(state, event)
        case HandOverNow():
            return _hand_over_now(state)
        case HungUp():
            return _hung_up(state)


def _answered(state: State, event: Answered) -> tuple[State, list[Action]]:
    if state.stage is not Stage.START:
        return state, []
    if event.objected:
        return handover.objected_before(state)
    return questions.give_notice(replace(state, may_record=event.may_record))


def _notice_finished(state: State) -> tuple[State, list[Action]]:
    if state.stage is not Stage.NOTICE:
        return state, []
    state = replace(state, notice_heard=True, playing=None)
    if state.doubt is not None:
        return questions.clarify(state, state.doubt)
    return questions.ask(state, Prompt.QUESTION)


def _prompt_over(state: State, event: PromptFinished | PromptFailed) -> tuple[State, list[Action]]:
    if event.prompt is not state.playing:
        return state, []
    if event == PromptFinished(Prompt.NOTICE):
        return _notice_finished(state)
    state = replace(state, playing=None)
    if state.stage is Stage.HANDOVER:
        return handover.proceed(state)
    if state.stage is Stage.CLOSING:
        return replace(state, stage=Stage.ENDED), [_count(state), HangUp()]
    if state.stage is Stage.TRANSFER:
        return state, []
    if isinstance(event, PromptFailed):
        return handover.fault(state)
    if state.stage in LISTENING and not state.pending and not state.speaking:
        return state, [AwaitSpeech()]
    return state, []


def _key_pressed(state: State, key: Key) -> tuple[State, list[Action]]:
    match key:
        case Key.OBJECTION:
            return handover.objection(state)
        case Key.HUMAN:
            return handover.human_wish(state)
        case Key.REPEAT:
            return questions.repeat(state)
        case Key.OTHER:
            return state, []


def _caller_turn(state: State, event: SpeechStarted | TurnEnded | Silence) -> tuple[State, list[Action]]:
    if state.stage not in LISTENING or state.pending:
        return state, []
    match event:
        case SpeechStarted():
            barge_in: list[Action] = [StopPlaying()] if state.playing else []
            return replace(state, speaking=True, playing=None), barge_in
        case TurnEnded() if state.speaking:
            return questions.turn_ended(replace(state, speaking=False))
        case Silence() if not state.speaking and state.playing is None:
            return questions.silence(state)
        case _:
            return state, []


def _interpreted(
    state: State, event: Screened | Understood | Picked | NotUnderstood | RecogniserFailed
) -> tuple[State, list[Action]]:
    if not state.pending or event.turn != state.turn:
        # Too late to be an answer. But an objection holds however late it is understood.
        late = isinstance(event, Understood | Screened) and questions.objects(event)
        return handover.objection(state) if late and 0 < (event.turn or 0) <= state.turn else (state, [])
    state = replace(state, pending=False)
    if isinstance(event, RecogniserFailed):
        return questions.deaf(state)
    if state.stage is Stage.UNDERSTANDING:
        return questions.concern(state, event)
    if state.stage is Stage.CLARIFY:
        return questions.clarified(state, event)
    if state.stage in ANSWERING:
        return questions.answer(state, event)
    return state, []


def _recorder(state: State, event: RecorderStopped | RecorderFailed) -> tuple[State, list[Action]]:
    if isinstance(event, RecorderFailed):
        return handover.recorder_failed(state)
    if state.recorder is not Recorder.STOPPING:
        return state, []
    state = replace(state, recorder=Recorder.OFF)
    if state.stage is Stage.HANDOVER:
        return handover.proceed(state)
    if state.stage is Stage.UNDERSTANDING and not state.pending:
        return questions.understand(state)
    if state.rearm:
        return replace(state, recorder=Recorder.RUNNING, rearm=False, held=True), [StartRecording()]
    return state, []


def _transferred(state: State, event: TransferSucceeded | TransferFailed) -> tuple[State, list[Action]]:
    if state.stage is not Stage.TRANSFER:
        return state, []
    if isinstance(event, TransferSucceeded):
        return handover.arrived(state)
    return handover.next_destination(state)


def _hand_over_now(state: State) -> tuple[State, list[Action]]:
    if state.stage in (Stage.HANDOVER, Stage.TRANSFER, Stage.CLOSING):
        return state, []
    if state.doubt is not None:
        return questions.in_doubt(state)
    return handover.to_human(state, Play(Prompt.CONNECT_HUMAN), Tally.HANDED_OVER, drop=not state.stated)


def _hung_up(state: State) -> tuple[State, list[Action]]:
    # The purpose of a recording is gone with its caller (DESIGN, "One call"): nothing is kept of an unrouted call.
    state = replace(
        state, stage=Stage.ENDED, held=False, recorder=Recorder.OFF, playing=None, reason=_reason_of_hang_up(state)
    )
    return state, [DropEverything(), _count(state)]


def _reason_of_hang_up(state: State) -> Tally:
    if state.objected:
        return Tally.OBJECTION
    return Tally.EMERGENCY if state.emergency else Tally.ABANDONED


def _count(state: State) -> Count:
    return Count(state.reason or Tally.FAULT)
