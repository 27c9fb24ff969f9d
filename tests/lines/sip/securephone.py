"""A caller for what `sipphone` cannot do (G.722, TLS with SRTP): baresip in a process of its own.

`python securephone.py '{"port": 5061, "transport": "tls", "codec": "pcma", "ca": "cert.pem"}'` dials, says a 700 Hz
tone for as long as the call lasts, refuses transfers, and prints what it heard as JSON when it is hung up.
"""

from __future__ import annotations

import asyncio
import json
import sys

import numpy as np
from baresip import Account, BaresipError, CallState, Config, Runtime, UserAgent


def loudest(samples: np.ndarray, rate: int) -> float:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 1000)
    if len(loud) < rate // 10:
        return 0.0
    part = samples[loud[0] : loud[-1]]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part))))) * rate / len(part))


async def main(order: dict[str, object]) -> dict[str, object]:
    transport = str(order["transport"])
    settings = [f"sip_listen 127.0.0.1:{order['own_port']}", f"sip_transports {transport}"]
    if transport == "tls":
        settings += [f"sip_cafile {order['ca']}", f"sip_certificate {order['ca']}", "sip_verify_server yes"]
    runtime = Runtime(native_log_level="error")
    await runtime.start(Config(net_interface="127.0.0.1", extra_config_text="\n".join(settings) + "\n"))
    extra = ["video_codecs=none"]
    if order.get("srtp"):
        extra.append("mediaenc=srtp-mand")
    account = Account("anna", "127.0.0.1", "", reg_interval=0, transport=transport,  # type: ignore[arg-type]
                      audio_codecs=(str(order["codec"]),), extra_params=tuple(extra))  # fmt: skip
    agent = await UserAgent.create(runtime, account, transfer_policy="reject")
    call = await agent.dial(f"sip:bot@127.0.0.1:{order['port']};transport={transport}")
    try:
        await call.wait_established(timeout=5)
    except BaresipError as error:
        return {"failed": str(error)}
    rate = call.audio.info().tx_sample_rate
    tone = (8000 * np.sin(2 * np.pi * 700 * np.arange(rate // 10) / rate)).astype(np.int16).tobytes()
    heard = b""
    while call.state is CallState.ESTABLISHED:
        try:
            if call.audio.info().tx_buffered < rate // 5:
                call.audio.write(tone)
            heard += call.audio.read(65536)
        except BaresipError:
            break
        await asyncio.sleep(0.02)
    await runtime.close()
    return {"rate": rate, "pitch": loudest(np.frombuffer(heard, np.int16), rate)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
