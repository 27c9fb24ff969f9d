"""Who is responsible for a concern, and reachable now: the department catalogue, opening hours and targets.

`load` reads the catalogue; `Catalogue.route` and `Catalogue.human` say where a call can go at a given moment.
"""

from __future__ import annotations

from anruflotse.departments.catalogue import Catalogue, Permitted, load, shipped
from anruflotse.departments.model import Action, Announcement, Concern, Department, HumanDesk, Route, Target

__all__ = [
    "Action",
    "Announcement",
    "Catalogue",
    "Concern",
    "Department",
    "HumanDesk",
    "Permitted",
    "Route",
    "Target",
    "load",
    "shipped",
]
