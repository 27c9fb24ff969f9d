"""What may happen in a call: a pure state machine over typed events and actions (`step`)."""

from anruflotse.conversation.machine import Step, step
from anruflotse.conversation.state import Stage, State

__all__ = ["Stage", "State", "Step", "step"]
