"""What the service says about its own state to a load balancer, a watchdog or an operator on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service takes calls now. `parts` tells it part by part (`sip`, `records`, ...), True when well."""

    ready: bool
    parts: Mapping[str, bool] = field(default_factory=dict)
