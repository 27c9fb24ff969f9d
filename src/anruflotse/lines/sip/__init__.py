"""Telephone calls over SIP and RTP, carried by baresip in supervised worker processes.

`line.SipLine(config.SipConfig(...), clock)` keeps the workers (`process`) alive and turns what they report (`wire`)
into legs (`leg`); `worker` is the program that runs in each of them, with one call's audio (`voice`) and transfers
(`referral`). Nothing is imported here: a worker has no use for what its parent needs, and starts the faster.
"""
