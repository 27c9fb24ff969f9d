"""A demonstration: sample callers phone the voicebot over real SIP, and the terminal shows what becomes of them."""
