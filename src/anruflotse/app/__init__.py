"""Wiring: from settings to objects to servers."""

from anruflotse.app.building import Parts, build
from anruflotse.app.service import Service

__all__ = ["Parts", "Service", "build"]
