"""Where calls come from and go to."""

from anruflotse.lines.line import Leg, LegClosedError, Line, LineError, Outcome

__all__ = ["Leg", "LegClosedError", "Line", "LineError", "Outcome"]
