"""The way out of a conversation: who the call goes to, why, and what must have happened before it goes."""

from __future__ import annotations

from dataclasses import replace

from anruflotse.conversation.actions import (
    Action,
    Attend,
    Attention,
    Count,
    Destination,
    DropEverything,
    Goal,
    Play,
    Prompt,
    Seal,
    StopRecording,
    Tally,
    Transfer,
)
from anruflotse.conversation.events import Candidate
from anruflotse.conversation.state import Recorder, Stage, State

HUMAN = Destination(Goal.HUMAN)
KEPT = frozenset({Tally.ROUTED, Tally.CLOSED, Tally.NOT_UNDERSTOOD, Tally.HANDED_OVER})
"""Why a call may leave a record: a concern was stated and somebody took it over."""

Result = tuple[State, list[Action]]


def hand_over(state: State, destination: Destination, prompt: Play, reason: Tally, *, wait: bool, drop: bool) -> Result:
    """Settle where the call goes; it goes once the recorder is off and, with `wait`, `prompt` was heard to its end."""
    actions: list[Action] = []
    recorder, held = state.recorder, state.held
    if drop:
        actions.append(DropEverything())
        held = False
    elif recorder is Recorder.RUNNING:
        actions.append(StopRecording())
    if recorder is Recorder.RUNNING:
        recorder = Recorder.STOPPING
    state = replace(
        state,
        stage=Stage.HANDOVER,
        destination=destination,
        reason=reason,
        recorder=recorder,
        rearm=False,
        held=held,
        playing=prompt.prompt,
        wait_for_prompt=wait,
        speaking=False,
        pending=False,
    )
    # An objection still counts while the call is on its way; after one, nothing is listened to any more.
    attention = Attention.NONE if state.objected else Attention.SCREEN
    state, onward = proceed(state)
    return state, [*actions, prompt, Attend(attention), *onward]


def proceed(state: State) -> Result:
    """Begin the transfer when nothing stands in its way any more."""
    if state.recorder is not Recorder.OFF or (state.wait_for_prompt and state.playing is not None):
        return state, []
    destination = state.destination or HUMAN
    return replace(state, stage=Stage.TRANSFER), [Transfer(destination, relay=state.relay)]


def to_human(state: State, prompt: Play, reason: Tally, *, drop: bool, wait: bool = True) -> Result:
    """Hand over to a person."""
    return hand_over(state, HUMAN, prompt, reason, wait=wait, drop=drop)


def objection(state: State) -> Result:
    """The caller objects to the recording: nothing of the call remains, a person answers (Art. 21 GDPR, P8-P10)."""
    if state.objected:
        return state, []
    state = replace(state, objected=True)
    if state.stage in (Stage.TRANSFER, Stage.CLOSING):
        # The call is already on its way to people, or nobody can be reached: only the data are left to drop.
        reason = Tally.OBJECTION if state.stage is Stage.TRANSFER else state.reason
        return replace(state, held=False, reason=reason), [DropEverything(), Attend(Attention.NONE)]
    return to_human(state, Play(Prompt.CONNECT_OBJECTION), Tally.OBJECTION, drop=True, wait=False)


def objected_before(state: State) -> Result:
    """The caller's number is on the objection list (Art. 21 GDPR): no notice, no question, a person at once."""
    state = replace(state, objected=True, may_record=False)
    return to_human(state, Play(Prompt.CONNECT_OBJECTED_BEFORE), Tally.OBJECTION, drop=True, wait=False)


def human_wish(state: State) -> Result:
    """The caller wants a person: at once, and nothing is kept of a call without a concern."""
    if state.stage in (Stage.TRANSFER, Stage.CLOSING):
        return state, []
    department = state.destination is not None and state.destination.goal is Goal.DEPARTMENT
    if state.stage is Stage.HANDOVER and not department:
        # Already on the way to a person: the wish only says that the prompt need not be heard out.
        return proceed(replace(state, wait_for_prompt=False))
    return to_human(state, Play(Prompt.CONNECT_HUMAN), Tally.HUMAN_WISH, drop=True, wait=False)


def emergency(state: State, *, suicidal: bool) -> Result:
    """Life may be in danger: say 112 (and the crisis line), then connect with a person; nothing is kept."""
    if state.emergency:
        return state, []
    prompt = Play(Prompt.EMERGENCY_SUICIDAL if suicidal else Prompt.EMERGENCY)
    reason = Tally.OBJECTION if state.objected else Tally.EMERGENCY
    state = replace(state, emergency=True)
    if state.stage in (Stage.TRANSFER, Stage.CLOSING):
        return replace(state, held=False, playing=prompt.prompt, reason=reason), [DropEverything(), prompt]
    return hand_over(state, Destination(Goal.EMERGENCY), prompt, reason, wait=True, drop=True)


def fault(state: State) -> Result:
    """Something of ours failed: one apology, a person, no recording (DESIGN, "Faults")."""
    reason = Tally.OBJECTION if state.objected else Tally.FAULT
    return to_human(replace(state, may_record=False), Play(Prompt.CONNECT_FAULT), reason, drop=True)


def recorder_failed(state: State) -> Result:
    """The recorder did not confirm its end: drop what there is, and relay no media of the transfer (P4)."""
    state = replace(state, recorder=Recorder.OFF, relay=False, may_record=False)
    if state.stage in (Stage.TRANSFER, Stage.CLOSING):
        return replace(state, held=False), [DropEverything()]
    if state.stage is Stage.HANDOVER:
        state, onward = proceed(replace(state, held=False))
        return state, [DropEverything(), *onward]
    return fault(state)


def route(state: State, candidate: Candidate) -> Result:
    """The concern is known: to its department, to the one that stands in while it is closed, or to a person."""
    if candidate.open:
        goal = Destination(Goal.DEPARTMENT, candidate.department)
        announced = Prompt.CONNECT_PRIVACY if candidate.privacy else Prompt.CONNECT
        prompt = Play(announced, department=candidate.department)
        return hand_over(state, goal, prompt, Tally.ROUTED, wait=True, drop=False)
    if candidate.instead is not None:
        goal = Destination(Goal.DEPARTMENT, candidate.instead)
        prompt = Play(Prompt.CLOSED_INSTEAD, department=candidate.department, instead=candidate.instead)
        return hand_over(state, goal, prompt, Tally.ROUTED, wait=True, drop=False)
    prompt = Play(Prompt.CLOSED, department=candidate.department)
    return to_human(state, prompt, Tally.CLOSED, drop=False)


def give_up(state: State) -> Result:
    """Two tries did not help: a person takes over, and may read what was said if a concern was stated.

    What could not be made out is not kept: nobody could read it, and it may have been an objection.
    """
    if state.stated and not state.unheard:
        return to_human(state, Play(Prompt.CONNECT_NOT_UNDERSTOOD), Tally.NOT_UNDERSTOOD, drop=False)
    reason = Tally.NOT_UNDERSTOOD if state.stated or state.unclear else Tally.SILENCE
    return to_human(state, Play(Prompt.CONNECT_NOT_UNDERSTOOD), reason, drop=True)


def arrived(state: State) -> Result:
    """Somebody has taken the call over: keep what may be kept, and be done."""
    keep = state.held and state.reason in KEPT
    department = state.destination.department if state.destination else None
    tally = Count(state.reason or Tally.FAULT, department if state.reason is Tally.ROUTED else None)
    return replace(state, stage=Stage.ENDED, held=False), [Seal() if keep else DropEverything(), tally]


def next_destination(state: State) -> Result:
    """Nobody took the call: from a department to the person for everything, from there to the closing words."""
    if state.destination is not None and state.destination.goal is Goal.DEPARTMENT:
        state = replace(state, destination=HUMAN, playing=Prompt.CONNECT_HUMAN)
        return state, [Play(Prompt.CONNECT_HUMAN), Transfer(HUMAN, relay=state.relay)]
    reason = Tally.OBJECTION if state.objected else Tally.UNREACHED
    state = replace(state, stage=Stage.CLOSING, held=False, playing=Prompt.NOBODY, reason=reason)
    return state, [DropEverything(), Play(Prompt.NOBODY)]
