"""From settings to what letters say: the insurer, its periods, and the names of departments and processors."""

from __future__ import annotations

from anruflotse import departments, processors
from anruflotse.clock import Clock
from anruflotse.notice import Archive, ArchiveError
from anruflotse.records.repository import Records
from anruflotse.rights.house import House
from anruflotse.rights.requests import Requests
from anruflotse.settings import Settings

NOTICES = "notices"
"""The folder of the editions of the notice, in the data directory."""


def requests(settings: Settings, records: Records, clock: Clock) -> Requests:
    """The desk for requests on these records. Raises `ShapeError` for a catalogue or register that cannot be read."""
    return Requests(records, clock, house(settings))


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
        departments={key: department.name for key, department in catalogue.departments.items()},
        concerns={key: concern.name for key, concern in catalogue.concerns.items()},
        processors={key: processor.name for key, processor in register.items()},
        edition=edition,
    )
