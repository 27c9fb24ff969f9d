"""What was seen, as plain data: what test calls heard, said and left, what the stores hold, what the page says.

Nothing in here judges. Every field that could not be looked at is None (or empty), and judging takes that for unproven.
Texts that end in an auditor's report are German. Nothing in here is about a real caller: numbers and words are those
of the test calls, and of the live store there are counts only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Said:
    """Something the test caller said or pressed, in a phase of the call; seconds since dialling."""

    phase: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PromptHeard:
    """How much of a prompt the test caller really heard (0 to 1), when, and whether its last part was among it."""

    share: float
    start: float | None = None
    end: float | None = None
    to_its_end: bool = False


@dataclass(frozen=True, slots=True)
class RecordLeft:
    """A record that a test call left. `phases` says how much of each phase of the call is in its recording.

    `foreign` is the share of the recording that the caller did not say at all. `likeness` compares the words kept
    with those spoken (0 to 1). An unreadable one has its id only.
    """

    id: str
    readable: bool = True
    reference: str = ""
    recorded_at: datetime | None = None
    expires_at: datetime | None = None
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    foreign: float = 0.0
    likeness: float = 0.0
    concern: str | None = None
    department: str | None = None
    legal_basis: str = ""
    purpose: str = ""
    notice_version: str = ""
    processors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A test call, from dialling to what it left. Times are seconds since dialling.

    `fault` says why it did not go as planned; then nothing else in it proves a promise, though it may break one.
    `order` is what the software did, in order, by the names of its actions and events. `expected` is the extension
    the catalogue names for the concern, None when the call is for a person. `records` None: nobody could look.
    """

    name: str
    fault: str | None = None
    notice: PromptHeard = PromptHeard(0.0)
    notice_words: str = ""
    question: PromptHeard = PromptHeard(0.0)
    contact: PromptHeard = PromptHeard(0.0)
    said: tuple[Said, ...] = ()
    objected_at: float | None = None
    reached: str | None = None
    reached_at: float | None = None
    expected: str | None = None
    handed_over_at: float | None = None
    leg_closed_at: float | None = None
    user_to_user: str | None = None
    told: str = ""
    """Everything the target was told in the INVITE and the bot in its REFER, in one text."""
    order: tuple[str, ...] = ()
    tally: str | None = None
    records: tuple[RecordLeft, ...] | None = None
    traces: tuple[str, ...] = ()
    """Where in the data directory the caller's number or voice can be read in plain, in German."""

    def words_of(self, phase: str) -> bool:
        """Whether the caller said something in `phase`."""
        return any(said.phase == phase for said in self.said)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A record that fell due while the test service ran, and when the service's own sweep had destroyed it."""

    due_at: datetime
    destroyed_at: datetime | None
    every_seconds: float


@dataclass(frozen=True, slots=True)
class Expiry:
    """The test record on a clock moved beyond its expiry: before the sweep, and after it."""

    days: int
    expires_at: datetime
    readable_before: bool
    readable_after: bool
    listed_after: bool
    key_left: bool
    row_left: bool


@dataclass(frozen=True, slots=True)
class Erasure:
    """The test record erased in one `way`: gone at once, and still gone after an old backup was put back."""

    way: str
    gone: bool
    key_left: bool
    readable_after_restore: bool
    key_after_restore: bool


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what by the table, who really could, and whether each try is in the trail.

    `table` and `could` hold `role purpose kind`; `tried` are all that were really tried. `elsewhere` says whether the
    staff of another department saw the concern. `untold` are tries the trail does not tell of.
    """

    table: frozenset[str]
    tried: frozenset[str]
    could: frozenset[str]
    elsewhere: bool
    untold: int
    trail_intact: bool
    tampering_noticed: bool
    open_pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purposes:
    """What data can be used for: the closed list, what opens a record, who can reach the store at all.

    `readers` are modules that learn or listen and import the store. `counted` are the fields of a counter; `linked`
    says whether an id, reference or number of a test call is in one.
    """

    listed: tuple[str, ...]
    opening: tuple[str, ...]
    readers: tuple[str, ...]
    counted: tuple[str, ...]
    linked: bool


@dataclass(frozen=True, slots=True)
class Store:
    """A store as it stands, looked at without changing it; counts and times only.

    `unpaired_keys` lack their row and `unpaired_rows` their key, both older than a write may take. `returned` keys or
    rows have a tombstone: they were destroyed and are there. `overdue` have expired; `late_seconds` is for how long
    the latest of them. `overlong` expire later than the retention allows. `bases` and `purposes` count the rows.
    `open_files` can be read by others than their owner.
    """

    where: str
    records: int = 0
    keys: int = 0
    unpaired_keys: int = 0
    unpaired_rows: int = 0
    returned: int = 0
    overdue: int = 0
    late_seconds: float = 0.0
    overlong: int = 0
    bases: Mapping[str, int] = field(default_factory=dict)
    purposes: Mapping[str, int] = field(default_factory=dict)
    open_files: tuple[str, ...] = ()
    trail_entries: int = 0
    trail_intact: bool | None = None
    trail_wrong: str | None = None
    fault: str | None = None
    """Why it could not be looked at."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A processor: the kinds of data the software would give it today, and those its agreement on file covers."""

    key: str
    name: str
    given: frozenset[str]
    covered: frozenset[str]


@dataclass(frozen=True, slots=True)
class Agreements:
    """Processors by the register, targets by the catalogue, and what a processor without agreement received.

    `unagreed_targets` are targets of processors that a call could be sent to now although no agreement covers it.
    `probed` is the processor whose engine stood ready in the test calls; `received` how many utterances it was given.
    """

    processors: tuple[Agreed, ...]
    unagreed_targets: tuple[str, ...]
    probed: str | None
    received: int


@dataclass(frozen=True, slots=True)
class Wording:
    """The settings of which the notice speaks, and what the software says about them."""

    days: int
    longer_because: str | None
    objection_key: str
    contact_written: str
    contact_spoken: str
    contact_prompt: str
    """What callers hear about the contact; empty when it cannot be spoken."""
    notice_prompt: str
    people: int
    """Targets for a person that may be used now."""
    destinations: Mapping[str, int] = field(default_factory=dict)
    """Targets a call for each department could be sent to now, its alternatives included; 0 leads to a person."""


@dataclass(frozen=True, slots=True)
class Page:
    """The published page as it came over HTTP. `text` is what a person reads, `version` the edition it names."""

    url: str
    status: int | None
    language: str = ""
    to_top: bool = False
    text: str = ""
    version: str = ""
    scripts: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """The page of the test service, that of a service running with these settings, and the notice they should show.

    `expected` are the sentences these settings make; `version` is theirs. `live` None: no service runs.
    """

    expected: tuple[str, ...]
    version: str
    test: Page | None
    live: Page | None = None
    live_ready: Mapping[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """One right exercised on a test record: `article`, whether it worked as it must, and what was seen (German)."""

    article: int
    worked: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was seen, from `began_at` on. None and missing calls: not looked at."""

    began_at: datetime
    calls: Mapping[str, CallSeen] = field(default_factory=dict)
    sweep: Sweep | None = None
    expiry: Expiry | None = None
    erasures: tuple[Erasure, ...] = ()
    access: Access | None = None
    purposes: Purposes | None = None
    test_store: Store | None = None
    live_store: Store | None = None
    """None: there is none yet, nothing was ever recorded."""
    live_looked_at: bool = False
    live_sweep_seconds: float = 60.0
    agreements: Agreements | None = None
    wording: Wording | None = None
    published: Published | None = None
    rights: tuple[Right, ...] = ()
    strays: int | None = None
    """Keys and rows in the test store that belong to no test call that may leave one."""
