from __future__ import annotations

from anruflotse.lines.peers.rtp import Packet, parse
from anruflotse.lines.peers.srtp import Srtp, derive

MASTER = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")


def packet(sequence: int, payload: bytes = b"audio" * 32) -> bytes:
    return Packet(8, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, 0xCAFEBABE, payload).encode()


def test_session_keys_are_those_of_rfc_3711_appendix_b3() -> None:
    assert derive(MASTER, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derive(MASTER, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert derive(MASTER, 1, 94).hex().upper().startswith("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")


def test_what_one_side_seals_only_the_same_key_opens() -> None:
    sealed = Srtp(MASTER).protect(packet(1))
    assert packet(1)[12:] not in sealed
    assert len(sealed) == len(packet(1)) + 10
    assert Srtp(MASTER).open(sealed) == packet(1)
    assert Srtp(bytes(30)).open(sealed) is None


def test_every_damaged_byte_is_noticed() -> None:
    sealed = Srtp(MASTER).protect(packet(1, b"abc"))
    for index in range(len(sealed)):
        assert Srtp(MASTER).open(sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]) is None
        assert Srtp(MASTER).open(sealed[:index]) is None


def test_the_sequence_number_may_wrap_and_packets_may_overtake_each_other() -> None:
    sender, receiver = Srtp(MASTER), Srtp(MASTER)
    sealed = {number: sender.protect(packet(number)) for number in range(65_530, 65_545)}
    order = [65_530, 65_531, 65_533, 65_532, 65_536, 65_535, 65_534, *range(65_537, 65_545)]
    opened = [receiver.open(sealed[number]) for number in order]
    assert opened == [packet(number) for number in order]
    found = parse(opened[-1] or b"")
    assert found is not None
    assert found.payload == b"audio" * 32
