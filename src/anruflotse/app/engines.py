"""Engines of processors: each behind the gate, with the local engine beside it for whenever it may not or cannot help.

The gate is asked anew for every utterance. A refused engine is not even made, and one that was made before its
agreement ended is closed. Whatever goes wrong in a processor's engine, the local one answers in the same utterance.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog

from anruflotse.clock import Clock
from anruflotse.pcm import Pcm
from anruflotse.processors import Category, Gatekeeper
from anruflotse.speech.seams import Recogniser, Synthesiser, Transcript
from anruflotse.understanding.advising import alarming
from anruflotse.understanding.seams import Adviser, Classifier, Option, Ranking

log = structlog.get_logger(__name__)

HEARING_SHARE = 0.5
"""Of the time a call gives the recogniser, a processor's has so much; the rest is left to the local one."""
SPEAKING_SECONDS = 3.0
"""A prompt stalls a call after 5 s (`call.shell.STALLED_SECONDS`); the local voice needs some of that."""
RANKING_SECONDS = 1.0
"""A caller waits for the ranking in silence; the local classifier needs 60 ms."""
RANKING_THREADS = 4


class _Owned(Protocol):
    @property
    def processor(self) -> str | None: ...


E = TypeVar("E", bound=_Owned)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer(Generic[E]):
    """A processor's engine, not made yet. `processor` is the key in the register, `name` what people call the engine.

    `make` returns at once and connects to nobody: an engine connects when it is first given something. `close` ends
    what it has opened; work under way then fails, and the local engine does it.
    """

    name: str
    processor: str
    make: Callable[[], E]
    close: Callable[[E], None]


@dataclass(frozen=True, slots=True)
class Offers:
    """The processors' engines that are to be used where the gate permits; None leaves the work to the local engine."""

    recogniser: Offer[Recogniser] | None = None
    synthesiser: Offer[Synthesiser] | None = None
    classifier: Offer[Classifier] | None = None
    adviser: Offer[Adviser] | None = None


LOCAL = Offers()
"""Everything is done on our own machines."""


@dataclass(frozen=True, slots=True)
class Use:
    """Something that gives data of `category` to `processor` as soon as the gate permits; `by` names it for people."""

    processor: str
    category: Category
    by: str


def uses(offers: Offers) -> tuple[Use, ...]:
    """What the engines of `offers` would be given."""
    slots: tuple[tuple[Offer[Any] | None, Category], ...] = (
        (offers.recogniser, Category.AUDIO),
        (offers.synthesiser, Category.PROMPTS),
        (offers.classifier, Category.TEXT),
        (offers.adviser, Category.TEXT),
    )
    return tuple(Use(offer.processor, category, offer.name) for offer, category in slots if offer is not None)


class Behind(Generic[E]):
    """A processor's engine behind the gate: `ask` for it every time, and never keep what it returns."""

    def __init__(self, offer: Offer[E], category: Category, keeper: Gatekeeper, failed: Callable[[str], None]) -> None:
        """It is given data of `category`; `failed` is told the processor's key whenever the engine was of no use."""
        self._offer = offer
        self._category = category
        self._keeper = keeper
        self._failed = failed
        self._engine: E | None = None
        self._lock = threading.Lock()
        """Classifiers are asked from many threads; one engine is made and closed by one of them."""

    def start(self) -> None:
        """At the start of the service: make the engine, or say why it stays shut."""
        reason = self._keeper.refusal(self._offer.processor, self._category)
        if reason is None:
            self._made()
            return
        log.warning(
            "an engine of a processor does not start: no agreement allows it; the local engine does its work",
            processor=self._offer.processor,
            kind=self._category.value,
            reason=reason.value,
        )

    def ask(self, wanted: Callable[[E], bool] = lambda _: True) -> E | None:
        """The engine, accounted for and to be given something at once; None when the local one has to do it.

        An engine that is not `wanted` after all is given nothing, and nothing is accounted for.
        """
        if not self._keeper.permits(self._offer.processor, self._category):
            self.close()
            return None
        engine = self._made()
        if engine is None or not wanted(engine) or not self._keeper.give(self._offer.processor, self._category):
            return None
        return engine

    def failed(self, error: Exception) -> None:
        """The engine raised `error` or was too slow: log where (never what: it may quote the caller), and count."""
        log.error(
            "an engine of a processor failed; the local one takes over",
            processor=self._offer.processor,
            exc_info=error,
        )
        self._failed(self._offer.processor)

    def close(self) -> None:
        """Close the engine, if it was made. A fault in closing is logged; the engine is gone all the same."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            self._offer.close(engine)
        except Exception:
            log.exception("an engine of a processor could not be closed in order", processor=self._offer.processor)

    def _made(self) -> E | None:
        with self._lock:
            if self._engine is None:
                try:
                    self._engine = self._checked(self._offer.make())
                except Exception as error:  # noqa: BLE001 - `failed` logs it, and the local engine does the work
                    self.failed(error)
            return self._engine

    def _checked(self, engine: E) -> E:
        if engine.processor != self._offer.processor:
            # What it is given would be accounted to somebody else.
            message = "The engine belongs to another processor than its offer says."
            raise ValueError(message)
        return engine


class GatedRecogniser:
    """A `Recogniser` that is a processor's while the gate permits, and the local one whenever that does not answer."""

    processor: None = None
    """The gate stands inside it; whoever uses it needs no other."""

    def __init__(self, behind: Behind[Recogniser], local: Recogniser, clock: Clock, patience: float) -> None:
        """The processor's engine has `patience` seconds for an utterance, on `clock`."""
        self._behind = behind
        self._local = own(local)
        self._clock = clock
        self._patience = patience

    async def transcribe(self, audio: Pcm, hints: Sequence[str] = ()) -> Transcript:
        """See `Recogniser.transcribe`; raises SpeechError when the local engine cannot answer either."""
        engine = self._behind.ask()
        if engine is not None:
            try:
                return await within(self._clock, self._patience, engine.transcribe(audio, hints))
            except Exception as error:  # noqa: BLE001 - `failed` logs it, and the local engine does the work
                self._behind.failed(error)
        return await self._local.transcribe(audio, hints)


class GatedSynthesiser:
    """A `Synthesiser` that is a processor's while the gate permits, and the local one whenever that does not answer."""

    processor: None = None
    """The gate stands inside it; whoever uses it needs no other."""

    def __init__(self, behind: Behind[Synthesiser], local: Synthesiser, clock: Clock) -> None:
        """Speak through `behind`, else with `local`."""
        self._behind = behind
        self._local = own(local)
        self._clock = clock

    async def speak(self, text: str) -> Pcm:
        """See `Synthesiser.speak`; raises SpeechError when the local engine cannot speak either."""
        engine = self._behind.ask()
        if engine is not None:
            try:
                return await within(self._clock, SPEAKING_SECONDS, engine.speak(text))
            except Exception as error:  # noqa: BLE001 - `failed` logs it, and the local engine does the work
                self._behind.failed(error)
        return await self._local.speak(text)


class GatedClassifier:
    """A `Classifier` that is a processor's while the gate permits, and the local one whenever that does not answer."""

    processor: None = None
    """The gate stands inside it; whoever uses it needs no other."""

    def __init__(self, behind: Behind[Classifier], local: Classifier, patience: float = RANKING_SECONDS) -> None:
        """The processor's engine has `patience` seconds of real time for a ranking.

        An engine that hangs keeps one of a few threads of its own; when all hang, the local classifier ranks.
        """
        self._behind = behind
        self._local = own(local)
        self._patience = patience
        self._threads = ThreadPoolExecutor(RANKING_THREADS, thread_name_prefix="processor")

    def rank(self, text: str) -> Ranking:
        """See `Classifier.rank`. Blocking: call it off the event loop, in the context of the call.

        The words are read here first: what may be an emergency, an objection or a wish for a human is never given away.
        """
        engine = None if alarming(text) else self._behind.ask()
        if engine is not None:
            try:
                return self._threads.submit(engine.rank, text).result(self._patience)
            except Exception as error:  # noqa: BLE001 - `failed` logs it, and the local engine does the work
                self._behind.failed(error)
        return self._local.rank(text)

    def close(self) -> None:
        """End the threads; a ranking under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GatedAdviser:
    """A processor's `Adviser` while the gate permits; whenever it may not or cannot help, there is no opinion."""

    processor: None = None
    """The gate stands inside it; whoever uses it needs no other."""
    ready: bool = True

    def __init__(self, behind: Behind[Adviser]) -> None:
        """Ask `behind`; the adviser's own time-out counts."""
        self._behind = behind

    def choose(self, text: str, options: Sequence[Option]) -> str | None:
        """See `Adviser.choose`; raises nothing. Blocking: call it off the event loop, in the context of the call."""
        engine = None if alarming(text) else self._behind.ask(lambda engine: engine.ready)
        if engine is None:
            return None
        try:
            return engine.choose(text, options)
        except Exception as error:  # noqa: BLE001 - `failed` logs it, and the local ranking stands
            self._behind.failed(error)
            return None


class Engines:
    """Puts each local engine behind the offer made for its work; where there is none, it stays as it is."""

    def __init__(self, offers: Offers, keeper: Gatekeeper, clock: Clock, failed: Callable[[str], None]) -> None:
        """`failed` is told the key of a processor whose engine was of no use."""
        self._offers = offers
        self._keeper = keeper
        self._clock = clock
        self._failed = failed
        self._behind: list[Behind[Any]] = []
        self._closing: list[Callable[[], None]] = []

    def recogniser(self, local: Recogniser, seconds: float) -> Recogniser:
        """What hears callers after the notice; `seconds` is all the time a call has for it. Raises as `own` does."""
        behind = self._behind_gate(self._offers.recogniser, Category.AUDIO)
        return own(local) if behind is None else GatedRecogniser(behind, local, self._clock, seconds * HEARING_SHARE)

    def synthesiser(self, local: Synthesiser) -> Synthesiser:
        """What speaks the prompts. Raises as `own` does."""
        behind = self._behind_gate(self._offers.synthesiser, Category.PROMPTS)
        return own(local) if behind is None else GatedSynthesiser(behind, local, self._clock)

    def voice(self, local: str) -> str:
        """What audio of `synthesiser` is filed under: `local`, or both names, since either may have spoken."""
        offer = self._offers.synthesiser
        return local if offer is None else f"{offer.name}, else {local}"

    def classifier(self, local: Classifier) -> Classifier:
        """What ranks concerns. Raises as `own` does."""
        behind = self._behind_gate(self._offers.classifier, Category.TEXT)
        if behind is None:
            return own(local)
        gated = GatedClassifier(behind, local)
        self._closing.append(gated.close)
        return gated

    def adviser(self, local: Adviser | None) -> Adviser | None:
        """Who gives a second opinion: a processor's behind the gate, else `local`. Raises as `own` does."""
        behind = self._behind_gate(self._offers.adviser, Category.TEXT)
        if behind is not None:
            return GatedAdviser(behind)
        return None if local is None else own(local)

    def start(self) -> None:
        """Make every engine the gate permits now, and say in the log which ones stay shut."""
        for behind in self._behind:
            behind.start()

    def close(self) -> None:
        """Close every engine that was made."""
        for close in (*self._closing, *(behind.close for behind in self._behind)):
            close()

    def _behind_gate(self, offer: Offer[E] | None, category: Category) -> Behind[E] | None:
        if offer is None:
            return None
        behind = Behind(offer, category, self._keeper, self._failed)
        self._behind.append(behind)
        return behind


def own(engine: E) -> E:
    """`engine`, if it is our own. Raises ValueError for a processor's: it would be used without asking the gate."""
    if engine.processor is not None:
        message = f"An engine of `{engine.processor}` cannot stand in for the local one; offer it behind the gate."
        raise ValueError(message)
    return engine


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`; raises TimeoutError, and cancels it, after `seconds` on `clock`."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            message = "The engine took too long."
            raise TimeoutError(message)
        return task.result()
    finally:
        task.cancel()
        alarm.cancel()
