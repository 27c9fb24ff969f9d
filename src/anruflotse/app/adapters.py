"""The rooms as a call wants to see them. No rule lives here; each class only turns one room's words into another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from anruflotse.call.equipment import PromptMissingError
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Candidate
from anruflotse.departments.catalogue import Catalogue
from anruflotse.departments.model import HUMAN, Target
from anruflotse.pcm import Pcm
from anruflotse.processors import Category, Gatekeeper
from anruflotse.records.model import Draft
from anruflotse.records.repository import Records
from anruflotse.speech.prompts import PromptBook, PromptMissing
from anruflotse.speech.seams import Heard
from anruflotse.understanding import safety
from anruflotse.understanding.answers import Choice, pick
from anruflotse.understanding.explaining import explained
from anruflotse.understanding.policy import Policy
from anruflotse.understanding.seams import Classifier, Decision, Ranking
from anruflotse.understanding.second import two_concerns

log = structlog.get_logger(__name__)

OUTSIDE = "ausserhalb"
PRIVACY = "datenschutz"
"""The concern whose callers hear who the data protection officer is."""


def gaps(play: Play) -> dict[str, str]:
    """The catalogue keys for the gaps of a prompt, by the names the prompt catalogue gives them."""
    match play.prompt:
        case Prompt.CONNECT | Prompt.CLOSED:
            return {"abteilung": play.department or ""}
        case Prompt.CLOSED_INSTEAD:
            return {"abteilung": play.department or "", "stattdessen": play.instead or ""}
        case Prompt.CONFIRM:
            return {"anliegen": play.concerns[0]}
        case Prompt.CHOOSE:
            return {"erstes": play.concerns[0], "zweites": play.concerns[1]}
        case _:
            return {}


class BookAnnouncer:
    """The prompt book as the call's `Announcer`."""

    def __init__(self, book: PromptBook) -> None:
        """Speak from `book`."""
        self._book = book

    async def audio(self, play: Play, rate: int) -> Pcm:
        """See `Announcer.audio`."""
        try:
            return await self._book.audio(play.prompt.value, rate=rate, **gaps(play))
        except PromptMissing as error:
            raise PromptMissingError(play.prompt.value) from error


class WordReader:
    """Classifier, policy and word rules as the call's `Reader`."""

    def __init__(
        self, classifier: Classifier, policy: Policy, catalogue: Catalogue, parts: Classifier | None = None
    ) -> None:
        """Decide with `classifier` and `policy` about the concerns of `catalogue`.

        `parts` ranks parts of a sentence, of which there are many: the local classifier, by default `classifier`.
        """
        self._parts = parts or classifier
        self._classifier = classifier
        self._policy = policy
        self._choices: Mapping[str, Choice] = {
            key: Choice(concern.spoken or concern.name, (concern.name, concern.description, *concern.keywords))
            for key, concern in catalogue.concerns.items()
        }

    def rank(self, text: str) -> Ranking:
        """See `Reader.rank`."""
        return self._classifier.rank(text)

    def decide(self, text: str, ranking: Ranking) -> Decision:
        """See `Reader.decide`. A doubtful alarm carries the concern it would otherwise be; each is explained.

        Of two concerns in one utterance the first counts, the second is named.
        """
        decision = self._policy.doubted(self._policy.decide(text, ranking), ranking)
        if decision.certain and decision.concerns:
            named = two_concerns(text, ranking, self._parts.rank)
            decision = self._policy.naming(decision, ranking, named)
        return explained(text, ranking, decision, self._policy.thresholds)

    def heard(self, text: str) -> tuple[Heard | None, bool, bool]:
        """See `Reader.heard`."""
        finding = safety.judge(text)
        heard = None if finding.heard is None or finding.rest else Heard(finding.heard)
        return heard, finding.certain, finding.suicidal

    def pick(self, text: str, first: str, second: str) -> int | None:
        """See `Reader.pick`."""
        return pick(text, self._choices[first], self._choices[second])

    def out_of_scope(self, ranking: Ranking) -> bool:
        """See `Reader.out_of_scope`."""
        return ranking.concerns[0].concern == OUTSIDE


class CatalogueDirectory:
    """The department catalogue as the call's `Directory`."""

    def __init__(self, catalogue: Catalogue, keeper: Gatekeeper) -> None:
        """Look up in `catalogue`; `keeper` is told of targets a call passes over for want of an agreement."""
        self._catalogue = catalogue
        self._keeper = keeper

    def candidate(self, concern: str, department: str, now: datetime) -> Candidate:
        """See `Directory.candidate`."""
        route = self._catalogue.route(department, now)
        instead = route.alternative if route.alternative != HUMAN else None
        return Candidate(concern, department, open=route.open, instead=instead, privacy=concern == PRIVACY)

    def targets(self, destination: Destination, now: datetime) -> Sequence[Target]:
        """See `Directory.targets`."""
        if destination.goal is Goal.DEPARTMENT and destination.department is not None:
            route = self._catalogue.route(destination.department, now)
        else:
            route = self._catalogue.human(now)
        for processor in dict.fromkeys(target.processor for target in route.skipped if target.processor):
            self._keeper.permits(processor, Category.CALL)
        return route.targets


class RecordKeeper:
    """The record store as the call's `Keeper`; whether it works is found out in the background, by `probe`."""

    def __init__(self, records: Records) -> None:
        """Keep in `records`; until the first `probe` nothing is recorded."""
        self._records = records
        self._healthy = False

    def probe(self) -> bool:
        """Find out by writing whether a record could be kept. Blocking."""
        try:
            self._healthy = self._records.healthy()
        except Exception:
            # A store nobody foresaw the trouble of is a store that does not work.
            log.exception("the record store could not be examined; calls are not recorded")
            self._healthy = False
        return self._healthy

    def healthy(self) -> bool:
        """See `Keeper.healthy`."""
        return self._healthy

    def objected(self, number: str) -> bool:
        """See `Keeper.objected`."""
        return self._records.objected(number)

    def seal(self, draft: Draft) -> str:
        """See `Keeper.seal`."""
        return self._records.seal(draft)

    def count(self, kind: str, department: str | None = None, decision: str | None = None) -> None:
        """See `Keeper.count`."""
        self._records.count(kind, department, decision)
