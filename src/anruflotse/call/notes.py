"""What a call knows of its caller, in memory, until it is sealed or dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from anruflotse.pcm import Pcm
from anruflotse.records.recorder import Recorder
from anruflotse.understanding.explaining import Explanation
from anruflotse.understanding.seams import Decision, Ranking


@dataclass(slots=True)
class Notes:
    """Text, ranking and recording of one call. `drop` forgets all of it at once."""

    recorder: Recorder = field(default_factory=Recorder)
    recorded_at: datetime | None = None
    turn: Pcm | None = field(default=None, repr=False)
    """The turn just ended, for the request that interprets it."""
    transcripts: list[str] = field(default_factory=list, repr=False)
    ranking: Ranking | None = field(default=None, repr=False)
    decision: Decision | None = field(default=None, repr=False)
    explanations: list[Explanation] = field(default_factory=list, repr=False)
    """Why each turn was decided as it was, in order."""
    dropped: bool = False

    def heard(self, text: str) -> None:
        """Remember what was understood of a turn, unless everything was dropped meanwhile."""
        if text and not self.dropped:
            self.transcripts.append(text)

    def decided(self, ranking: Ranking, decision: Decision) -> None:
        """Remember the last ranking and what was decided on it, unless everything was dropped meanwhile."""
        if not self.dropped:
            self.ranking, self.decision = ranking, decision

    def explained(self, decision: Decision) -> None:
        """Remember why a turn was decided so, unless everything was dropped meanwhile."""
        if decision.explanation is not None and not self.dropped:
            self.explanations.append(decision.explanation)

    def chose(self, concern: str) -> None:
        """Remember which of the concerns offered was meant; if both were named, the other one is the second."""
        if self.decision is not None:
            meant = tuple(offered for offered in self.decision.concerns if offered.concern == concern)
            other = next((offered for offered in self.decision.concerns if offered.concern != concern), None)
            second = self.decision.second
            second = other if second is not None and second.concern == concern else second
            self.decision = replace(self.decision, concerns=meant, second=second)

    def drop(self) -> None:
        """Overwrite the recording and let go of every word; nothing can be added afterwards."""
        self.dropped = True
        self.recorder.drop()
        self.recorded_at = None
        self.turn = None
        self.transcripts.clear()
        self.explanations.clear()
        self.ranking = self.decision = None
