"""Telephone calls over SIP and RTP, carried by baresip in supervised worker processes.

`line` keeps the workers (`process`) alive and turns what they report (`wire`) into legs (`leg`); `worker` is the
program that runs in each of them, with one call's audio (`voice`) and transfers (`referral`).
"""

from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.leg import SipLeg
from anruflotse.lines.sip.line import SipHealth, SipLine

__all__ = ["SipConfig", "SipHealth", "SipLeg", "SipLine"]
