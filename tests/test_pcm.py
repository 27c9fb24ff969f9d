from __future__ import annotations

import pytest

from anruflotse.pcm import Pcm


def test_duration_counts_samples_at_their_rate() -> None:
    assert Pcm(bytes(16_000), 8000).seconds == 1.0
    assert Pcm(bytes(16_000), 16_000).seconds == 0.5
    assert Pcm(b"", 8000).seconds == 0.0


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples, got 3 bytes"):
        Pcm(b"abc", 8000)


@pytest.mark.parametrize("rate", [0, -8000])
def test_a_senseless_rate_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match=f"got {rate} Hz"):
        Pcm(b"", rate)


def test_what_was_said_does_not_show_in_the_repr() -> None:
    assert "canary" not in repr(Pcm(b"canary", 8000))
    assert "8000" in repr(Pcm(b"canary", 8000))
