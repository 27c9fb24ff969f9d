"""What the SIP trace tells about a transfer."""

from __future__ import annotations

import asyncio
import logging

import pytest

from anruflotse.lines.sip.referral import DialogWatch, Watched

PEER = "UDP 127.0.0.1:5060 -> 127.0.0.1:5070"


def traced(watch: DialogWatch, way: str, first: str, *headers: str, body: str = "", call: str = "c1") -> None:
    text = "\r\n".join([f"{way} {PEER}\n{first}", f"Call-ID: {call}", *headers, "", body])
    watch.emit(logging.LogRecord("t", logging.DEBUG, "", 0, "%s", (text,), None))


def notify(watch: DialogWatch, event: str, sipfrag: str, call: str = "c1") -> None:
    traced(
        watch,
        "RX",
        "NOTIFY sip:x SIP/2.0",
        "CSeq: 9 NOTIFY",
        f"Event: {event}",
        body=f"SIP/2.0 {sipfrag}\r\n",
        call=call,
    )


async def status(watched: Watched) -> int | None:
    await asyncio.sleep(0)
    return watched.decided.result() if watched.decided.done() else None


@pytest.fixture
async def refer() -> tuple[DialogWatch, Watched]:
    """A REFER with CSeq 7 that is on its way."""
    watch = DialogWatch()
    watched = watch.watch("c1")
    traced(watch, "TX", "REFER sip:x SIP/2.0", "CSeq: 7 REFER")
    return watch, watched


Refer = tuple[DialogWatch, Watched]


@pytest.mark.parametrize(
    ("sipfrag", "progress"), [("100 Trying", False), ("180 Ringing", True), ("183 Progress", True)]
)
async def test_a_peer_that_reports_the_ringing_would_report_the_success(
    refer: Refer, sipfrag: str, progress: bool
) -> None:
    watch, watched = refer
    notify(watch, "refer", sipfrag)
    assert (watched.progress, await status(watched)) == (progress, None)


async def test_acceptance_is_a_2xx_to_the_refer_of_this_call(refer: Refer) -> None:
    watch, watched = refer
    traced(watch, "RX", "SIP/2.0 100 Trying", "CSeq: 7 REFER")
    traced(watch, "RX", "SIP/2.0 200 OK", "CSeq: 8 BYE")
    traced(watch, "TX", "SIP/2.0 202 Accepted", "CSeq: 7 REFER")
    traced(watch, "RX", "SIP/2.0 202 Accepted", "CSeq: 7 REFER", call="c2")
    assert watched.accepted is False
    traced(watch, "RX", "SIP/2.0 202 Accepted", "CSeq: 7 REFER")
    assert vars_of(watched) == (True, 7)


def vars_of(watched: Watched) -> tuple[bool, int | None]:
    return watched.accepted, watched.cseq


@pytest.mark.parametrize(
    ("event", "sipfrag", "decided"),
    [
        ("refer", "100 Trying", None),
        ("refer", "180 Ringing", None),
        ("refer", "486 Busy Here", 486),
        ("refer;id=7", "603 Decline", 603),
        ("refer; id=7", "200 OK", 200),
        ("refer;id=6", "487 Request Terminated", None),
        ("refer;id=6", "200 OK", 200),
        ("dialog", "486 Busy Here", None),
        ("refer", "nonsense", None),
    ],
)
async def test_what_a_notify_decides(refer: Refer, event: str, sipfrag: str, decided: int | None) -> None:
    watch, watched = refer
    notify(watch, event, sipfrag)
    assert await status(watched) == decided


async def test_the_first_decision_stands_and_other_calls_do_not_count(refer: Refer) -> None:
    watch, watched = refer
    notify(watch, "refer", "200 OK", call="c2")
    assert await status(watched) is None
    notify(watch, "refer", "486 Busy Here")
    notify(watch, "refer", "200 OK")
    assert await status(watched) == 486
    watch.forget("c1")
    assert watch.idle


async def test_anything_at_all_may_be_in_the_trace(refer: Refer) -> None:
    watch, watched = refer
    for text in ("", "RX", "RX \n", "TX x\nREFER \nCall-ID: c1\nCSeq: x REFER", "RX x\nNOTIFY x\nCall-ID: c1\nEvent:"):
        watch.emit(logging.LogRecord("t", logging.DEBUG, "", 0, "%s", (text,), None))
    assert await status(watched) is None
