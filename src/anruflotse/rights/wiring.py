"""From settings to what letters say: the insurer, its periods, and the names of departments and processors."""

from __future__ import annotations

from datetime import timedelta

from anruflotse import departments, processors
from anruflotse.clock import Clock
from anruflotse.notice import Archive, ArchiveError
from anruflotse.records.repository import Records
from anruflotse.rights.house import House
from anruflotse.rights.requests import Requests
from anruflotse.settings import Settings

CLOSING_SECONDS = 120.0
"""What a call needs beside talking and ringing: announcements, the last words, and writing the record down."""

NOTICES = "notices"
"""The folder of the editions of the notice, in the data directory."""


def requests(settings: Settings, records: Records, clock: Clock) -> Requests:
    """The desk for requests on these records. Raises `ShapeError` for a catalogue or register that cannot be read."""
    return Requests(records, clock, house(settings))


def longest_call(settings: Settings, catalogue: departments.Catalogue) -> timedelta:
    """How long a call can take until its record is kept: talking, then ringing along the longest way there is."""
    chains = [(*one.targets, *one.overflow) for one in catalogue.departments.values()]
    human = (*catalogue.desk.targets, *catalogue.desk.emergency)
    rings = max((len(chain) for chain in chains), default=0) + len(human)
    # Where the alternative of a closed department is the human desk, the desk's telephones ring twice.
    seconds = settings.call.max_seconds + (rings + len(human)) * settings.call.transfer_seconds + CLOSING_SECONDS
    return timedelta(seconds=seconds)


def house(settings: Settings) -> House:
    """What these settings make letters say. Raises `ShapeError` for a catalogue or register that cannot be read."""
    register = processors.load(settings.processors.agreements)
    catalogue = departments.load(
        settings.departments.catalogue, federal_state=settings.insurer.federal_state, processors=frozenset(register)
    )
    editions = Archive(settings.data / NOTICES)

    def edition(version: str) -> str | None:
        try:
            found = editions.edition(version)
        except ArchiveError:
            # A copy without the notice's text is better than none: its version stands in the record.
            return None
        return None if found is None else found.spoken

    return House(
        insurer=settings.insurer.name,
        contact=settings.insurer.privacy_contact.written,
        authority=settings.rights.supervisory_authority,
        federal_state=settings.insurer.federal_state,
        retention_days=settings.retention.days,
        objection_key=settings.call.objection_key,
        objection_years=settings.rights.objection_years,
        case_days=settings.rights.case_days,
        longest_call=longest_call(settings, catalogue),
        departments={key: department.name for key, department in catalogue.departments.items()},
        concerns={key: concern.name for key, concern in catalogue.concerns.items()},
        processors={key: processor.name for key, processor in register.items()},
        edition=edition,
    )
