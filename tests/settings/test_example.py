from __future__ import annotations

import re
from pathlib import Path

import yaml

from anruflotse.settings import example, leaves, load


def test_the_example_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "anruflotse.yaml"
    file.write_text(example(), encoding="utf-8")
    assert load(file, {"data": "x"}, {}) == load(None, {"data": "x"}, {})


def test_every_key_uncommented_is_yaml_and_still_the_default(tmp_path: Path) -> None:
    text = re.sub(r"^( *)#(?! )", r"\1", example(), flags=re.MULTILINE)
    text = re.sub(r"^( *)#( {2}\w+:)", r"\1\2", text, flags=re.MULTILINE)
    whole = yaml.safe_load(text)
    for leaf in leaves():
        value = whole
        for name in leaf.key.split("."):
            value = value[name]
        assert value == leaf.default, leaf.key
    file = tmp_path / "anruflotse.yaml"
    filled = re.sub(r"^( *(registrar|user|password|url|model):)$", r"\1 x", text, flags=re.MULTILINE)
    file.write_text(filled, encoding="utf-8")
    settings = load(file, {"data": "x"}, {})
    assert settings.sip.registration is not None
    assert settings.sip.registration.user == "x"
    assert settings.understanding.llm is not None
    assert settings.understanding.llm.timeout_seconds == 2
    assert settings.call == load(None, {"data": "x"}, {}).call


def test_every_key_is_explained_with_its_variable() -> None:
    for leaf in leaves():
        assert leaf.description.endswith("."), leaf.key
        assert f"# {leaf.description}\n" in example()
        assert f"# Takes {leaf.allowed}. Environment: {leaf.variable}\n" in example()
