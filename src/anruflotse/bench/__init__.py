"""The benchmarks: the whole service in a process of its own, called over real SIP on the loopback address."""
