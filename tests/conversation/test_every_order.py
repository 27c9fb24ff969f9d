"""The promises hold whatever happens, in whatever order, and every call comes to an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from anruflotse.conversation import Stage, State, step
from anruflotse.conversation.actions import (
    Action,
    AwaitSpeech,
    Count,
    Destination,
    DropEverything,
    Goal,
    HangUp,
    Pick,
    Play,
    Prompt,
    Screen,
    Seal,
    StartRecording,
    StopRecording,
    Tally,
    Transfer,
    Understand,
)
from anruflotse.conversation.events import (
    Answered,
    Candidate,
    Event,
    HandOverNow,
    Heard,
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
    Verdict,
)

CANDIDATES = st.builds(
    Candidate,
    concern=st.sampled_from(["pflege", "zahnersatz", "krankengeld"]),
    department=st.sampled_from(["pflegekasse", "leistungen"]),
    open=st.booleans(),
    instead=st.sampled_from([None, "kundenservice"]),
)
TURNS = st.integers(0, 6)
NUMBER_OF_CANDIDATES = {Verdict.ROUTE: 1, Verdict.CONFIRM: 1, Verdict.CHOOSE: 2}


@st.composite
def understood(draw: st.DrawFn) -> Understood:
    verdict = draw(st.sampled_from(Verdict))
    number = NUMBER_OF_CANDIDATES.get(verdict, draw(st.integers(0, 1)))
    candidates = tuple(draw(CANDIDATES) for _ in range(number))
    return Understood(
        draw(TURNS), verdict, candidates, draw(st.booleans()), draw(st.booleans()), stated=draw(st.booleans())
    )


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Answered, may_record=st.booleans()),
    st.just(NoticeFinished()),
    st.builds(PromptFinished, prompt=st.sampled_from(Prompt)),
    st.builds(PromptFailed, prompt=st.sampled_from(Prompt)),
    st.builds(KeyPressed, key=st.sampled_from(Key)),
    st.just(SpeechStarted()),
    st.just(TurnEnded()),
    st.just(Silence()),
    st.builds(Screened, st.sampled_from(Heard), st.booleans(), st.one_of(st.none(), TURNS), st.booleans()),
    understood(),
    st.builds(Picked, turn=TURNS, index=st.integers(-1, 2)),
    st.builds(NotUnderstood, turn=TURNS),
    st.builds(RecogniserFailed, turn=TURNS),
    st.just(RecorderStopped()),
    st.just(TransferSucceeded()),
    st.just(TransferFailed()),
)
ENDINGS: st.SearchStrategy[Event] = st.sampled_from([HungUp(), HandOverNow(), RecorderFailed(), KeyPressed(Key.HUMAN)])
"""Events that cut most calls short; rarer, so that the others get to see every stage."""


@dataclass
class Witness:
    """What an outsider sees of a call: it knows the promises and nothing of the machine's insides."""

    notice_heard: bool = False
    may_record: bool = False
    objected: bool = False
    recorder: str = "off"
    confirmable: bool = True
    holding: bool = False
    tallies: list[Tally] = field(default_factory=list)
    sealed: int = 0

    def saw(self, event: Event, before: State, after: State, actions: tuple[Action, ...]) -> None:
        if isinstance(event, Answered) and before == State():
            self.may_record = event.may_record
            if event.objected:
                self.objected = True
                assert after.objected
                assert Play(Prompt.NOTICE) not in actions, "asked once more to say what was said before"
                assert Transfer(Destination(Goal.HUMAN)) in actions, "made to wait for a person"
        if isinstance(event, NoticeFinished) and before.stage == "notice":
            self.notice_heard = True
        if event == PromptFinished(Prompt.NOTICE) and before.stage == "notice":
            self.notice_heard = True
        if isinstance(event, RecorderStopped) and self.recorder == "stopping":
            self.recorder = "off"
        if isinstance(event, RecorderFailed) and not before.ended:
            self.recorder, self.confirmable = "off", False
        if self._objects(event, before) and not self.objected:
            self.objected = True
            assert after.objected
            assert DropEverything() in actions, "an objection drops everything in its own step"
        if after.objected:
            self.objected = True
        for action in actions:
            self._did(action)

    @staticmethod
    def _objects(event: Event, before: State) -> bool:
        """A key or words that say for sure that the caller objects, in a call that is not over."""
        if before.ended:
            return False
        match event:
            case KeyPressed(key=Key.OBJECTION) | Screened(heard=Heard.OBJECTION, certain=True, turn=None):
                return True
            case (
                Understood(verdict=Verdict.OBJECTION, certain=True, turn=int(turn))
                | Screened(heard=Heard.OBJECTION, certain=True, turn=int(turn))
            ):
                return 0 < turn <= before.turn
            case _:
                return False

    def _did(self, action: Action) -> None:
        match action:
            case StartRecording():
                assert self.notice_heard, "recorded before the notice was heard"
                assert self.may_record, "recorded although the store cannot take a record"
                assert not self.objected, "recorded after an objection"
                assert self.recorder == "off", "recorded while the recorder was still stopping"
                self.recorder, self.holding = "running", True
            case StopRecording() | DropEverything():
                if self.recorder == "running":
                    self.recorder = "stopping"
                if isinstance(action, DropEverything):
                    self.holding = False
            case Understand() | Screen() | Pick():
                self.holding = True
            case Transfer(relay=relay):
                assert self.recorder == "off", "transferred before the recorder confirmed its end"
                assert self.confirmable or not relay, "media relayed although the recorder never confirmed its end"
            case Seal():
                assert self.holding
                assert not self.objected, "kept something after an objection"
                self.sealed += 1
                self.holding = False
            case Count(tally=tally):
                self.tallies.append(tally)
            case _:
                pass


class AnyOrder(RuleBasedStateMachine):
    """Throw any event at the conversation at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.witness = Witness()

    @initialize(
        before=st.lists(EVENTS, max_size=1),
        may_record=st.sampled_from([True, True, True, False]),
        objected=st.sampled_from([False, False, False, False, True]),
    )
    def the_phone_is_answered(self, before: list[Event], may_record: bool, objected: bool) -> None:
        for event in before:
            self._take(event)
        self._take(Answered(may_record, objected))

    @rule(event=EVENTS)
    def happens(self, event: Event) -> None:
        self._take(event)

    @rule(event=ENDINGS, rare=st.integers(0, 9))
    def is_cut_short(self, event: Event, rare: int) -> None:
        if rare == 0:
            self._take(event)

    @rule(how=st.sampled_from([KeyPressed(Key.OBJECTION), Screened(Heard.OBJECTION)]), rare=st.integers(0, 5))
    def caller_objects(self, how: Event, rare: int) -> None:
        if rare == 0:
            self._take(how)

    @rule(verdict=st.sampled_from([Verdict.ROUTE, Verdict.CONFIRM, Verdict.CHOOSE, Verdict.ASK_AGAIN]))
    def request_is_answered_with_a_concern(self, verdict: Verdict) -> None:
        offered = (Candidate("pflege", "pflegekasse"), Candidate("zahnersatz", "leistungen"))
        self._take(Understood(self.state.turn, verdict, offered[: NUMBER_OF_CANDIDATES.get(verdict, 0)]))

    @rule(event=EVENTS)
    def request_is_answered_in_time(self, event: Event) -> None:
        if isinstance(event, Screened | Understood | Picked | NotUnderstood | RecogniserFailed):
            fresh = {name: getattr(event, name) for name in event.__dataclass_fields__} | {"turn": self.state.turn}
            self._take(type(event)(**fresh))

    @rule()
    def notice_ends(self) -> None:
        self._take(NoticeFinished())

    @rule()
    def prompt_ends(self) -> None:
        if self.state.playing:
            self._take(PromptFinished(self.state.playing))

    @rule()
    def recorder_confirms(self) -> None:
        self._take(RecorderStopped())

    @rule()
    def caller_speaks_a_turn(self) -> None:
        self._take(SpeechStarted())
        self._take(TurnEnded())

    @invariant()
    def nothing_is_recorded_after_an_objection(self) -> None:
        if self.state.objected:
            assert self.witness.recorder != "running"
            assert not self.state.held
            assert self.witness.sealed == 0

    @invariant()
    def a_call_is_counted_once_at_its_end(self) -> None:
        assert len(self.witness.tallies) == (1 if self.state.ended else 0)

    @invariant()
    def nothing_is_left_in_memory_after_the_end(self) -> None:
        if self.state.ended:
            assert not self.witness.holding
            assert not self.state.held

    def _take(self, event: Event) -> None:
        before = self.state
        self.state, actions = step(before, event)
        if before.ended:
            assert (self.state, actions) == (before, ())
        self.witness.saw(event, before, self.state, actions)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)


def answer_to(action: Action, state: State, dice: Random) -> list[Event]:
    """What a real surrounding may answer to an action, chosen by `dice`; never nothing where something must come."""
    department = dice.choice(["pflegekasse", "leistungen"])
    candidate, other = (
        Candidate(concern, department, open=dice.random() < 0.7, instead=dice.choice([None, "kundenservice"]))
        for concern in dice.sample(["pflege", "zahnersatz", "krankengeld"], 2)
    )
    heard = Screened(dice.choice(list(Heard)), dice.random() < 0.7)
    match action:
        case Play(prompt=prompt):
            over: Event = NoticeFinished() if prompt is Prompt.NOTICE else PromptFinished(prompt)
            key = KeyPressed(dice.choice(list(Key)))
            return [dice.choice([over] * 12 + [SpeechStarted(), PromptFailed(prompt), heard, key])]
        case AwaitSpeech():
            turns: list[list[Event]] = [
                [Silence()],
                [SpeechStarted(), TurnEnded()],
                [SpeechStarted(), heard, TurnEnded()],
            ]
            return dice.choice(turns)
        case StopRecording() | DropEverything():
            acknowledged: list[Event] = [RecorderStopped(), RecorderStopped(), RecorderStopped(), RecorderFailed()]
            return [dice.choice(acknowledged)]
        case Understand(turn=turn) | Screen(turn=turn) | Pick(turn=turn):
            verdict = dice.choice(list(Verdict))
            number = NUMBER_OF_CANDIDATES.get(verdict, 0)
            answers: list[Event] = [
                Understood(turn, verdict, (candidate, other)[:number], dice.random() < 0.7),
                Screened(dice.choice(list(Heard)), dice.random() < 0.7, turn),
                Picked(turn, dice.choice([0, 1])),
                NotUnderstood(turn),
                RecogniserFailed(turn),
            ]
            return [dice.choice(answers)]
        case Transfer():
            outcomes: list[Event] = [TransferSucceeded(), TransferFailed()]
            return [dice.choice(outcomes)]
        case _:
            return []


@given(seed=st.integers(0, 2**32))
@settings(max_examples=1500, deadline=None)
def test_every_call_ends_and_no_caller_goes_round_in_circles(seed: int) -> None:
    dice = Random(seed)
    witness = Witness()
    state, actions = step(State(), Answered())
    witness.saw(Answered(), State(), state, actions)
    waiting = [event for action in actions for event in answer_to(action, state, dice)]
    questions, ending = 0, None
    offers: list[tuple[str, ...]] = []
    for _ in range(400):
        if state.ended:
            break
        if waiting:
            event: Event = waiting.pop(0)
        elif state.speaking:
            event = TurnEnded()
        elif state.playing:
            event = PromptFinished(state.playing)
        else:
            event = Silence()
        before = state
        state, actions = step(before, event)
        witness.saw(event, before, state, actions)
        questions += sum(isinstance(a, Play) and a.prompt.value.startswith("frage") for a in actions)
        repeated = before.repeats != state.repeats or before.failures != state.failures
        offers += [a.concerns for a in actions if isinstance(a, Play) and a.concerns and not repeated]
        assert state.failures <= 2
        if state.failures == 2:
            assert state.stage in {Stage.HANDOVER, Stage.TRANSFER, Stage.CLOSING, Stage.ENDED}, "two failures: a person"
        for action in actions:
            if isinstance(action, Transfer | HangUp):
                ending = action
            waiting += answer_to(action, state, dice)
    assert state.ended, "a call got stuck"
    assert isinstance(ending, HangUp) or (isinstance(ending, Transfer) and ending.destination.goal in Goal)
    assert questions <= 1 + 1 + 3 + 1, "one question, one re-ask, three repeats, one after a doubt"
    assert len(offers) == len({frozenset(offer) for offer in offers}), "the same closed question twice"
