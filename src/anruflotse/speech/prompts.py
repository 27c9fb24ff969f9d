"""The prompt book: every prompt as text and as audio, rendered once, cached on disk, replaced by a person's recording.

Gaps are filled from the catalogue of departments and from settings only. Nothing a caller said can get into a prompt,
so nothing a caller said can get into the cache.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Final

import structlog

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import AudioError, level_dbfs, read_wav, resample, to_samples
from anruflotse.speech.catalogue import GAPS, Catalogue, load_catalogue
from anruflotse.speech.loudness import level, with_edges
from anruflotse.speech.promptcache import PromptCache
from anruflotse.speech.seams import SpeechError, Synthesiser

NOTICE: Final = "hinweis"
NOTICE_SECONDS: Final = 12.0
RATES: Final = (8_000, 16_000)
KEY_GAPS: Final = {"taste_widerspruch": "9", "taste_mensch": "0"}
"""The gaps for keys, with the keys of the shipped settings."""

_DEPARTMENT_GAPS: Final = frozenset({"abteilung", "stattdessen"})
_CONCERN_GAPS: Final = frozenset({"anliegen", "erstes", "zweites"})
_IN_MEMORY: Final = 512
"""Prompts kept in memory: all that are prepared at the start and then some; about 200 KB each."""
_SILENT_DBFS: Final = -60.0
_QUIET_DBFS: Final = -45.0
_CLIPPED_SHARE: Final = 0.001
_CLIPPED_AT: Final = 32_700
_LONGEST_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


def fingerprint(recordings: Path | None, name: str = NOTICE) -> str:
    """The SHA-256 of a person's recording of a prompt, "" where the synthetic voice speaks it or nobody can read it."""
    try:
        return "" if recordings is None else hashlib.sha256((recordings / f"{name}.wav").read_bytes()).hexdigest()
    except OSError:
        return ""


class PromptError(Exception):
    """The prompts cannot be used as they are; the message names the file or setting and says what to do."""


class PromptMissing(Exception):  # noqa: N818  # the call's word for it: a prompt is missing, so the call fails closed
    """A prompt cannot be played: there is no such prompt, a gap is not filled, or the voice failed."""


@dataclass(frozen=True, slots=True)
class Fillings:
    """What the gaps of the prompts are filled with.

    `departments` gives the spoken name of each department by its key (completes "Ich verbinde Sie mit der Abteilung
    ..."), `concerns` the accusative of each concern by its key (completes "Es geht um ..."); a concern without one is
    never asked about. `insurer` is the insurer's name as spoken, `contact` completes "Bei Fragen zum Datenschutz
    erreichen Sie ...", `hours` completes "Sie erreichen uns ...". The keys are those of the settings, so that no
    prompt can name another one.
    """

    departments: Mapping[str, str]
    concerns: Mapping[str, str]
    insurer: str
    contact: str
    hours: str
    objection_key: str = "9"
    human_key: str = "0"


@dataclass(frozen=True, slots=True)
class _Key:
    """One thing to say: the prompt's name and the catalogue keys that fill its gaps, in the order of `GAPS`."""

    name: str
    keys: tuple[str, ...]
    text: str = field(repr=False)

    @property
    def file(self) -> str:
        return ".".join((self.name, *self.keys)) + ".wav"


class PromptBook:
    """Everything callers hear.

    A gap takes a *key* of the departments' catalogue (`abteilung="krankengeld"`), never a text; the gaps
    `versicherer`, `kontakt`, `zeiten` and the keys are filled from the settings once and not passed at all.
    """

    def __init__(
        self,
        synthesiser: Synthesiser,
        *,
        voice: str,
        cache: Path,
        fillings: Fillings,
        catalogue: Path | None = None,
        recordings: Path | None = None,
    ) -> None:
        """Read the catalogue of prompts (`catalogue`, by default the shipped one); nothing is rendered yet.

        `voice` names the synthesiser with all that changes its sound (`PicoSynthesiser.voice`); audio in `cache` is
        found again only under the same voice. `recordings` is a directory of WAV files by a person, named as the
        prompt and the keys of its gaps: `hinweis.wav`, `verbinde.krankengeld.wav`, `auswahl.krankengeld.pflege.wav`.

        Raises ShapeError, with line and column, when the catalogue is not as it must be.
        """
        self._synthesiser = synthesiser
        self._voice = voice
        self._cache = PromptCache(cache)
        self._departments = dict(fillings.departments)
        self._concerns = {key: spoken for key, spoken in fillings.concerns.items() if spoken}
        self._settings = {
            "versicherer": fillings.insurer,
            "kontakt": fillings.contact,
            "zeiten": fillings.hours,
            "taste_widerspruch": fillings.objection_key,
            "taste_mensch": fillings.human_key,
        }
        self._recordings = recordings
        self._catalogue: Catalogue = load_catalogue(catalogue)
        self._ready: OrderedDict[tuple[str, tuple[str, ...]], Mapping[int, Pcm]] = OrderedDict()
        self._under_way: dict[tuple[str, tuple[str, ...]], asyncio.Task[Mapping[int, Pcm]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all prompts."""
        return tuple(GAPS)

    def text(self, name: str, **gaps: str) -> str:
        """What the prompt says, as written. Raises PromptMissing as `audio` does."""
        return self._key(name, gaps).text

    async def audio(self, name: str, *, rate: int = 16_000, **gaps: str) -> Pcm:
        """The prompt as audio at `rate` (8000 or 16000 Hz), about -20 dBFS, with 30 ms of silence at its edges.

        A prompt that was prepared costs nothing. Another one (an A-or-B question) is looked up in the cache or
        synthesised now. Raises PromptMissing when it cannot be said; the call then goes to a human, unrecorded.
        """
        key = self._key(name, gaps)
        if rate not in RATES:
            message = f"Prompts exist at 8000 and 16000 Hz, not at {rate} Hz."
            raise PromptMissing(message)
        try:
            return (await self._both_rates(key))[rate]
        except (SpeechError, PromptError) as error:
            message = f"The prompt `{name}` cannot be spoken: {error}"
            raise PromptMissing(message) from error

    async def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Get every prompt ready that has at most one gap to choose, and tidy the cache up.

        `progress` is called with how many are done and how many there are. Raises PromptError when a recording is
        broken or silent or the voice cannot speak: better no start than a call without a notice.
        """
        keys = list(self._known_ahead())
        for done, key in enumerate(keys, start=1):
            try:
                await self._both_rates(key)
            except SpeechError as error:
                message = f"The prompt `{key.name}` cannot be spoken: {error}"
                raise PromptError(message) from error
            if progress is not None:
                progress(done, len(keys))
        in_use = {self._cache_key(key) for key in (*keys, *self._choices())}
        await asyncio.to_thread(self._cache.keep_only, in_use)

    async def check(self) -> list[str]:
        """What is wrong with the prompts or could be better, a sentence each with its remedy; empty when all is well.

        Reads every recording and speaks the notice, so it tells more than `prepare`, which stops at the first fault.
        """
        problems = await asyncio.to_thread(self._recording_problems)
        problems += await asyncio.to_thread(self._cache.problems)
        try:
            notice = await self.audio(NOTICE)
        except PromptMissing as missing:
            return [*problems, str(missing)]
        problems += self._keys_unheard()
        if notice.seconds > NOTICE_SECONDS:
            problems.append(
                f"The notice (`{NOTICE}`) lasts {notice.seconds:.1f} s; it should not exceed {NOTICE_SECONDS:.0f} s: "
                "shorten the text or the insurer's spoken name, or let a person record it."
            )
        return problems

    def _key(self, name: str, gaps: Mapping[str, str]) -> _Key:
        if name not in GAPS:
            message = f"There is no prompt `{name}`."
            raise PromptMissing(message)
        filled = dict(self._settings)
        keys: list[str] = []
        for gap in GAPS[name]:
            if gap in self._settings:
                continue
            source = self._departments if gap in _DEPARTMENT_GAPS else self._concerns
            key = gaps.get(gap)
            if key is None or key not in source:
                message = f"The prompt `{name}` needs a known key for {{{gap}}}."
                raise PromptMissing(message)
            keys.append(key)
            filled[gap] = source[key]
        if surplus := gaps.keys() - set(GAPS[name]) | gaps.keys() & self._settings.keys():
            message = f"The prompt `{name}` takes no {', '.join(sorted(surplus))}."
            raise PromptMissing(message)
        return _Key(name, tuple(keys), self._catalogue.fill(name, filled))

    def _known_ahead(self) -> Iterator[_Key]:
        """Every prompt without a gap to choose and, for those with one, every choice."""
        for name in GAPS:
            gaps = [gap for gap in GAPS[name] if gap not in self._settings]
            if not gaps:
                yield self._key(name, {})
            elif len(gaps) == 1:
                source = self._departments if gaps[0] in _DEPARTMENT_GAPS else self._concerns
                for key in source:
                    yield self._key(name, {gaps[0]: key})

    def _choices(self) -> Iterator[_Key]:
        """Every prompt with two gaps; hundreds, so they are spoken when first needed."""
        for first, second in permutations(self._concerns, 2):
            yield self._key("auswahl", {"erstes": first, "zweites": second})
        for first, second in permutations(self._departments, 2):
            yield self._key("geschlossen_alternative", {"abteilung": first, "stattdessen": second})

    async def _both_rates(self, key: _Key) -> Mapping[int, Pcm]:
        """The prompt at both rates. Two calls that need the same prompt at once wait for one rendering."""
        place = (key.name, key.keys)
        if place in self._ready:
            self._ready.move_to_end(place)
            return self._ready[place]
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._render(key))
            self._under_way[place] = task
            task.add_done_callback(lambda done: self._finished(place, done))
        # A caller who hangs up must not cancel the rendering another caller waits for.
        audio = await asyncio.shield(task)
        self._ready[place] = audio
        while len(self._ready) > _IN_MEMORY:
            self._ready.popitem(last=False)
        return audio

    def _finished(self, place: tuple[str, tuple[str, ...]], task: asyncio.Task[Mapping[int, Pcm]]) -> None:
        self._under_way.pop(place, None)
        if not task.cancelled():
            # Whoever waited has been told already; if all of them have hung up, nobody needs to be.
            task.exception()

    async def _render(self, key: _Key) -> Mapping[int, Pcm]:
        audio = await asyncio.to_thread(self._recorded, key) or await self._synthesised(key)
        return await asyncio.to_thread(lambda: {rate: resample(audio, rate) for rate in RATES})

    def _recorded(self, key: _Key) -> Pcm | None:
        """The recording a person made of this prompt, ready to play, or None. Raises PromptError when it is broken."""
        if self._recordings is None or not (self._recordings / key.file).exists():
            return None
        path = self._recordings / key.file
        try:
            audio = read_wav(path)
        except AudioError as error:
            message = f"The recorded prompt cannot be used. {error}"
            raise PromptError(message) from error
        if level_dbfs(audio, active=True) < _SILENT_DBFS:
            message = (
                f"The recorded prompt cannot be used. {path}: the recording is silent. Record it again or remove it."
            )
            raise PromptError(message)
        return with_edges(level(resample(audio, 16_000)))

    async def _synthesised(self, key: _Key) -> Pcm:
        name = self._cache_key(key)
        cached = await asyncio.to_thread(self._cache.get, name)
        if cached is not None:
            return cached
        spoken = await self._synthesiser.speak(self._catalogue.spoken(key.text))
        if not spoken.data or level_dbfs(spoken) < _SILENT_DBFS:
            message = "the voice returned silence."
            raise SpeechError(message)
        audio = await asyncio.to_thread(lambda: with_edges(level(resample(spoken, 16_000))))
        try:
            await asyncio.to_thread(self._cache.put, name, audio)
        except OSError:
            # The prompt can be played all the same; it will be spoken anew at the next start.
            _log.warning("prompt_cache_not_writable", prompt=key.name)
        return audio

    def _cache_key(self, key: _Key) -> str:
        return PromptCache.name_of(self._voice, self._catalogue.spoken(key.text))

    def _keys_unheard(self) -> list[str]:
        """Recordings of prompts that name a key, when the keys are others than those of the shipped settings."""
        keys = {gap: self._settings[gap] for gap in KEY_GAPS}
        if self._recordings is None or keys == KEY_GAPS:
            return []
        named = [name for name, gaps in GAPS.items() if set(gaps) & set(KEY_GAPS)]
        recorded = [path for path in (self._recordings / f"{name}.wav" for name in named) if path.exists()]
        keys_set = f"{keys['taste_widerspruch']} (objection) and {keys['taste_mensch']} (person)"
        return [
            f"{path}: nobody can check what a recording says. Make sure that it names the keys {keys_set}."
            for path in recorded
        ]

    def _recording_problems(self) -> list[str]:
        if self._recordings is None:
            return []
        if not self._recordings.is_dir():
            return [f"{self._recordings}: there is no such directory. Create it or correct the setting."]
        known = {key.file for key in (*self._known_ahead(), *self._choices())}
        problems: list[str] = []
        for path in sorted(self._recordings.glob("*.wav")):
            if path.name not in known:
                problems.append(f"{path}: no prompt has this name, so the recording is not used. Rename or remove it.")
            else:
                problems += _problems_of(path)
        return problems


def _problems_of(path: Path) -> list[str]:
    try:
        audio = read_wav(path)
    except AudioError as error:
        return [str(error)]
    problems: list[str] = []
    loudness = level_dbfs(audio, active=True)
    if loudness < _SILENT_DBFS:
        problems.append(f"{path}: the recording is silent. Record it again.")
    elif loudness < _QUIET_DBFS:
        problems.append(f"{path}: the recording is very quiet ({loudness:.0f} dBFS). Record it again, closer.")
    if float((abs(to_samples(audio).astype("i4")) >= _CLIPPED_AT).mean()) > _CLIPPED_SHARE:
        problems.append(f"{path}: the recording is overdriven. Record it again, with less gain.")
    if audio.seconds > _LONGEST_SECONDS:
        problems.append(f"{path}: the recording lasts {audio.seconds:.0f} s. No caller listens for so long.")
    return problems
