"""The other side of the wire: callers and department telephones for demonstrations, tests and measurements.

A small SIP endpoint of our own, on asyncio, instead of the stack the bot uses: a test must be able to misbehave (refuse
a REFER, never send NOTIFY, vanish), to see every packet with its time of arrival, and to place a hundred calls from one
process; and two independent implementations find faults that one talking to itself would not.
SIP over UDP, TCP and TLS; A-law, µ-law and G.722; RFC 4733 and INFO keys; SRTP with SDES keys. IPv4, no registration.
"""

from anruflotse.lines.peers.call_state import CallEvent, CallFailedError, NotAnsweredError, State
from anruflotse.lines.peers.caller import Call, Caller, OnRefer, Referral
from anruflotse.lines.peers.heard import Heard, Stretch
from anruflotse.lines.peers.message import MalformedMessageError, SipError
from anruflotse.lines.peers.phone import Behaviour, Phone, PhoneCall, PhoneEvent, Reaction, tone
from anruflotse.lines.peers.session import Session
from anruflotse.lines.peers.transport import UnreachableError

__all__ = [
    "Behaviour",
    "Call",
    "CallEvent",
    "CallFailedError",
    "Caller",
    "Heard",
    "MalformedMessageError",
    "NotAnsweredError",
    "OnRefer",
    "Phone",
    "PhoneCall",
    "PhoneEvent",
    "Reaction",
    "Referral",
    "Session",
    "SipError",
    "State",
    "Stretch",
    "UnreachableError",
    "tone",
]
