"""One conversation on one line: the imperative shell around the pure machine of `anruflotse.conversation`."""

from anruflotse.call.equipment import Equipment, Rules
from anruflotse.call.shell import Call

__all__ = ["Call", "Equipment", "Rules"]
