"""The middle of a conversation: the notice, the questions, and what the answers lead to.

Every detour costs one of the counters in `State` (failures, answers_unclear, repeats, clarified), so no conversation
can go round in circles. Silence, an unclear concern, a denied guess and an unusable answer are failures, whichever
comes first: the second one leads to a person. No guess is offered again that was denied, and no closed question that
was answered is asked a second time.
"""

from __future__ import annotations

from dataclasses import replace

from anruflotse.conversation import handover
from anruflotse.conversation.actions import (
    Action,
    Attend,
    Attention,
    Pick,
    Play,
    Prompt,
    Screen,
    StartRecording,
    StopRecording,
    Understand,
)
from anruflotse.conversation.events import (
    Candidate,
    Heard,
    NotUnderstood,
    Picked,
    Screened,
    Understood,
    Verdict,
)
from anruflotse.conversation.state import LISTENING, Recorder, Stage, State

Result = tuple[State, list[Action]]
Answer = Screened | Understood | Picked | NotUnderstood

MAX_REPEATS = 3
MAX_FAILURES = 2
"""With this many failures a person takes over; so there is one re-ask at most."""
SAFETY = frozenset({Heard.OBJECTION, Heard.HUMAN, Heard.EMERGENCY})
_URGENCY = {Heard.OBJECTION: 3, Heard.EMERGENCY: 2, Heard.HUMAN: 1}
_DOUBT_PROMPTS = {
    Heard.OBJECTION: Prompt.OBJECTION_DOUBT,
    Heard.HUMAN: Prompt.HUMAN_DOUBT,
    Heard.EMERGENCY: Prompt.EMERGENCY_DOUBT,
}
_SAFETY_VERDICTS = {
    Verdict.OBJECTION: Heard.OBJECTION,
    Verdict.HUMAN: Heard.HUMAN,
    Verdict.EMERGENCY: Heard.EMERGENCY,
}


def give_notice(state: State) -> Result:
    """Greet, say that the next answer is recorded and that one may object; nothing is recorded before its end."""
    notice = Play(Prompt.NOTICE)
    state = replace(state, stage=Stage.NOTICE, playing=notice.prompt, last=notice, doubt=None, speaking=False)
    return state, [notice, Attend(Attention.SCREEN)]


def ask(state: State, prompt: Prompt) -> Result:
    """Ask for the concern, and record the answer if it may be recorded."""
    if not state.notice_heard:
        return give_notice(state)
    question = Play(prompt)
    actions: list[Action] = [question, Attend(Attention.CONCERN)]
    recorder, rearm, held = state.recorder, False, state.held
    if state.may_record and recorder is Recorder.OFF:
        recorder, held = Recorder.RUNNING, True
        actions.append(StartRecording())
    elif state.may_record and recorder is Recorder.STOPPING:
        rearm = True
    state = replace(
        state,
        stage=Stage.QUESTION,
        playing=prompt,
        last=question,
        recorder=recorder,
        rearm=rearm,
        held=held,
        speaking=False,
        pending=False,
        candidates=(),
        doubt=None,
    )
    return state, actions


def _ask_closed(state: State, stage: Stage, question: Play) -> Result:
    """Ask something that is answered in a word or two; such answers are never recorded."""
    actions: list[Action] = [question, Attend(Attention.ANSWER)]
    recorder = state.recorder
    if recorder is Recorder.RUNNING:
        recorder = Recorder.STOPPING
        actions.insert(0, StopRecording())
    state = replace(
        state,
        stage=stage,
        playing=question.prompt,
        last=question,
        recorder=recorder,
        rearm=False,
        speaking=False,
        pending=False,
    )
    return state, actions


def clarify(state: State, doubt: Heard, candidates: tuple[Candidate, ...] = ()) -> Result:
    """Ask, once in a call, whether a half-heard objection, wish or emergency was meant."""
    state = replace(state, doubt=doubt, clarified=True, candidates=candidates)
    return _ask_closed(state, Stage.CLARIFY, Play(_DOUBT_PROMPTS[doubt]))


def _confirm(state: State, candidate: Candidate) -> Result:
    if candidate.concern in state.denied or frozenset({candidate.concern}) in state.offered:
        return _unclear(state)
    state = _offering(state, candidate)
    return _ask_closed(state, Stage.CONFIRM, Play(Prompt.CONFIRM, concerns=(candidate.concern,)))


def _choose(state: State, first: Candidate, second: Candidate) -> Result:
    left = [candidate for candidate in (first, second) if candidate.concern not in state.denied]
    if len(left) == 1:
        return _confirm(state, left[0])
    if not left or frozenset({first.concern, second.concern}) in state.offered:
        return _unclear(state)
    state = _offering(state, first, second)
    return _ask_closed(state, Stage.CHOOSE, Play(Prompt.CHOOSE, concerns=(first.concern, second.concern)))


def _offering(state: State, *candidates: Candidate) -> State:
    offered = state.offered | {frozenset(candidate.concern for candidate in candidates)}
    return replace(state, candidates=candidates, offered=offered, doubt=None)


def repeat(state: State) -> Result:
    """Say the last thing again, at most three times in a call."""
    asked = state.stage is Stage.NOTICE or (state.stage in LISTENING and not state.pending)
    if not asked or state.last is None or state.repeats >= MAX_REPEATS:
        return state, []
    attention = {Stage.NOTICE: Attention.SCREEN, Stage.QUESTION: Attention.CONCERN}.get(state.stage, Attention.ANSWER)
    state = replace(state, repeats=state.repeats + 1, playing=state.last.prompt, speaking=False)
    return state, [state.last, Attend(attention)] if state.last else []


def turn_ended(state: State) -> Result:
    """The caller has finished: have the turn interpreted. A recorded turn is interpreted once the recorder is off."""
    if state.stage is Stage.QUESTION:
        state = replace(state, stage=Stage.UNDERSTANDING, held=True, rearm=False, playing=None)
        if state.recorder is Recorder.RUNNING:
            return replace(state, recorder=Recorder.STOPPING), [StopRecording(), Attend(Attention.SCREEN)]
        if state.recorder is Recorder.STOPPING:
            return state, [Attend(Attention.SCREEN)]
        state, actions = understand(state)
        return state, [Attend(Attention.SCREEN), *actions]
    state = replace(state, turn=state.turn + 1, pending=True, held=True)
    if state.stage is Stage.CHOOSE:
        first, second = state.candidates
        return state, [Attend(Attention.SCREEN), Pick(state.turn, (first.concern, second.concern))]
    return state, [Attend(Attention.SCREEN), Screen(state.turn)]


def understand(state: State) -> Result:
    """Ask for the turn just ended to be recognised and classified."""
    state = replace(state, turn=state.turn + 1, pending=True, held=True)
    return state, [Understand(state.turn)]


def silence(state: State) -> Result:
    """The caller said nothing when it was their turn."""
    if state.stage is Stage.CLARIFY:
        return in_doubt(state)
    if state.stage is not Stage.QUESTION:
        return _answer_unclear(state)
    state = replace(state, failures=state.failures + 1)
    return handover.give_up(state) if state.failures >= MAX_FAILURES else ask(state, Prompt.QUESTION_SILENCE)


def deaf(state: State) -> Result:
    """No engine could interpret the turn. While an objection is in doubt, that doubt decides."""
    return in_doubt(state) if state.stage is Stage.CLARIFY else handover.fault(state)


def overheard(state: State, event: Screened) -> Result:
    """Speech nobody asked for (over the notice, while we think or connect): only safety words matter.

    A no to the notice itself ("nein", "das möchte ich nicht") is likely an objection.
    """
    if event.heard is Heard.NO and state.stage is Stage.NOTICE:
        return _safety(state, Heard.OBJECTION, certain=False)
    return _safety(state, event.heard, certain=event.certain, suicidal=event.suicidal)


def concern(state: State, event: Answer) -> Result:
    """What the answer to the open question leads to."""
    match event:
        case Understood(verdict=verdict) if verdict in _SAFETY_VERDICTS:
            heard = _SAFETY_VERDICTS[verdict]
            return _safety(state, heard, event.candidates, certain=event.certain, suicidal=event.suicidal)
        case Understood():
            return _understood(replace(state, stated=state.stated or event.stated), event)
        case Screened(heard=heard) if heard in SAFETY:
            return _safety(state, heard, certain=event.certain, suicidal=event.suicidal)
        case Screened(heard=Heard.REPEAT) if state.repeats < MAX_REPEATS:
            return ask(replace(state, repeats=state.repeats + 1), Prompt.QUESTION)
        case Screened(heard=Heard.SILENCE):
            return silence(replace(state, stage=Stage.QUESTION))
        case _:
            return _unclear(replace(state, unheard=True))


def _understood(state: State, event: Understood) -> Result:
    match event.verdict, event.candidates:
        case Verdict.ROUTE, (candidate, *_) if candidate.concern not in state.denied:
            return handover.route(state, candidate)
        case Verdict.CONFIRM, (candidate, *_):
            return _confirm(state, candidate)
        case Verdict.CHOOSE, (first, second, *_):
            return _choose(state, first, second)
        case _:
            return _unclear(state)


def _unclear(state: State) -> Result:
    """The concern did not become clear: ask once more, then a person."""
    state = replace(state, unclear=state.unclear + 1, failures=state.failures + 1)
    return handover.give_up(state) if state.failures >= MAX_FAILURES else ask(state, Prompt.QUESTION_AGAIN)


def clarified(state: State, event: Answer) -> Result:
    """The answer to "did you mean to object / speak to a person / is this an emergency?". Only a sure no clears it."""
    match event:
        case Screened(heard=Heard.NO, certain=True):
            if state.notice_heard and state.candidates:
                return _confirm(state, state.candidates[0])
            return ask(state, Prompt.QUESTION)
        case Screened(heard=Heard.NO) if state.doubt is Heard.HUMAN:
            # Even an unsure no: who wants a person will say so again.
            return clarified(state, replace(event, certain=True))
        case Screened(heard=heard, certain=certain) if heard in SAFETY and (certain or heard is Heard.OBJECTION):
            return _act(state, heard, suicidal=event.suicidal)
        case Screened(heard=Heard.SPEECH) if _may_hold_a_concern(state):
            # "Nein, es geht um die Kosten": the answer may hold the concern itself.
            return understand(replace(state, answers_unclear=state.answers_unclear + 1))
        case Understood(verdict=verdict) if verdict in _SAFETY_VERDICTS:
            return _act(state, _SAFETY_VERDICTS[verdict], suicidal=event.suicidal)
        case Understood(candidates=(_, *_)):
            return _understood(replace(state, stated=True), event)
        case _:
            return in_doubt(state)


def _may_hold_a_concern(state: State) -> bool:
    """Whether more than yes or no may be understood here: not while an objection is in doubt, and once only."""
    return state.doubt is not Heard.OBJECTION and state.notice_heard and not state.answers_unclear


def answer(state: State, event: Answer) -> Result:
    """The answer to "is it A?" or "A or B?"."""
    match event:
        case Picked(index=index) if state.stage is Stage.CHOOSE and index in (0, 1):
            return handover.route(state, state.candidates[index])
        case Understood(verdict=verdict) if verdict in _SAFETY_VERDICTS:
            heard = _SAFETY_VERDICTS[verdict]
            return _safety(state, heard, event.candidates, certain=event.certain, suicidal=event.suicidal)
        case Understood(candidates=(candidate, *_)):
            return _concern_instead_of_answer(state, event, candidate)
        case Screened(heard=heard) if heard in SAFETY:
            return _safety(state, heard, certain=event.certain, suicidal=event.suicidal)
        case Screened(heard=Heard.REPEAT):
            return repeat(state) if state.repeats < MAX_REPEATS else _answer_unclear(state)
        case Screened(heard=Heard.YES) if state.stage is Stage.CONFIRM:
            # Even an unsure yes: a no is hardly ever heard as one, and the department can still transfer.
            return handover.route(state, state.candidates[0])
        case Screened(heard=Heard.NO) if not event.certain and not state.answers_unclear:
            return _answer_unclear(state)
        case Screened(heard=Heard.NO):
            denied = state.denied | {candidate.concern for candidate in state.candidates}
            return _unclear(replace(state, denied=denied))
        case Screened(heard=Heard.SPEECH) if state.stage is Stage.CONFIRM and not state.answers_unclear:
            # "Nein, es geht um Zahnersatz": the answer may hold the concern itself.
            return understand(replace(state, answers_unclear=state.answers_unclear + 1))
        case _:
            return _answer_unclear(state)


def _concern_instead_of_answer(state: State, event: Understood, candidate: Candidate) -> Result:
    """A concern was said instead of yes or no: the same one confirms it, another one replaces it."""
    offered = next((c for c in state.candidates if c.department == candidate.department), None)
    if offered is not None and event.verdict is not Verdict.CHOOSE:
        return handover.route(state, offered)
    if state.answers_unclear > 1:
        return handover.give_up(state)
    return _understood(replace(state, answers_unclear=state.answers_unclear + 1), event)


def _answer_unclear(state: State) -> Result:
    """No usable answer to a closed question: ask it once more, then a person."""
    state = replace(state, answers_unclear=state.answers_unclear + 1, failures=state.failures + 1)
    if state.failures >= MAX_FAILURES:
        return handover.give_up(state)
    if state.stage is Stage.CHOOSE and state.last is not None:
        return _ask_closed(state, Stage.CHOOSE, state.last)
    asked = state.last
    state, actions = _ask_closed(state, Stage.CONFIRM, Play(Prompt.YES_NO_AGAIN))
    # "Wie bitte?" to this wants the concern named again, not the words "yes or no".
    return replace(state, last=asked), actions


def _safety(
    state: State,
    heard: Heard,
    candidates: tuple[Candidate, ...] = (),
    *,
    certain: bool,
    suicidal: bool = False,
) -> Result:
    """Act on an objection, a human wish or an emergency; ask once about a doubtful one; ignore everything else."""
    if heard not in SAFETY:
        return state, []
    if certain:
        return _act(state, heard, suicidal=suicidal)
    if state.objected:
        return state, []
    if state.stage in (Stage.HANDOVER, Stage.TRANSFER, Stage.CLOSING):
        # Too late to ask: in doubt there is no recording; people are being reached already.
        return handover.objection(state) if heard is Heard.OBJECTION else (state, [])
    if state.clarified:
        return _act(state, heard, suicidal=suicidal)
    if state.stage is Stage.NOTICE and heard is not Heard.EMERGENCY:
        # The notice is heard to its end; the question follows it.
        if state.doubt is None or _URGENCY[heard] > _URGENCY[state.doubt]:
            state = replace(state, doubt=heard)
        return state, []
    return clarify(state, heard, candidates)


def in_doubt(state: State) -> Result:
    """The question about a doubtful wish stayed open: decide for the caller's protection."""
    return _act(state, state.doubt or Heard.OBJECTION, suicidal=False)


def objects(event: Understood | Screened) -> bool:
    """Whether this says, for sure, that the caller objects to the recording."""
    said = event.verdict is Verdict.OBJECTION if isinstance(event, Understood) else event.heard is Heard.OBJECTION
    return said and event.certain


def _act(state: State, heard: Heard, *, suicidal: bool) -> Result:
    if heard is Heard.OBJECTION:
        return handover.objection(state)
    if heard is Heard.EMERGENCY:
        return handover.emergency(state, suicidal=suicidal)
    return handover.human_wish(state)
