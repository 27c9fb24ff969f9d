from __future__ import annotations

import pytest

from anruflotse.settings import Settings, leaves
from anruflotse.settings.keys import groups, nearest


def test_leaves_are_complete_and_unique() -> None:
    keys = [leaf.key for leaf in leaves()]
    assert len(keys) == len(set(keys))
    top = {key.split(".")[0] for key in keys}
    assert top == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("data", "a path"),
        ("sip.port", "a whole number from 0 to 65535"),
        ("prompts.speed", "a number from 0.5 to 2"),
        ("understanding.route", "a number from 0 to 1 or null"),
        ("speech.model", "a path or null"),
        ("sip.codecs", "a list of pcma, pcmu, g722"),
        ("logging.format", "one of console, json"),
        ("sip.registration.password", "a password"),
        ("records.rows", "a URL like postgresql://user:password@host:5432/database or null"),
        ("insurer.name", "text"),
    ],
)
def test_what_is_allowed_is_put_in_words(key: str, allowed: str) -> None:
    assert next(leaf for leaf in leaves() if leaf.key == key).allowed == allowed


def test_only_what_opens_something_is_secret_and_only_two_sections_may_be_absent() -> None:
    assert [leaf.key for leaf in leaves() if leaf.secret] == [
        "sip.registration.password",
        "records.rows",
        "records.keys",
        "keys.vault.token",
        "keys.vault.secret_id",
        "understanding.llm.api_key",
    ]
    assert [group.key for group in groups() if group.nullable] == ["sip.registration", "understanding.llm"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sip.prot", "sip.port"),
        ("retention.day", "retention.days"),
        ("federal_state", "insurer.federal_state"),
        ("speach", "speech"),
        ("xyzzy", None),
    ],
)
def test_the_nearest_key_is_what_was_probably_meant(written: str, meant: str | None) -> None:
    assert nearest(written) == meant
