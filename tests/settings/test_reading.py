from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from anruflotse.settings import Effective, Settings, SettingsError, effective, leaves, load


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def refused(config: Path | None = None, overrides: dict[str, object] | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(config, overrides, environ)
    assert not isinstance(caught.value.__cause__, ValidationError), "it carries the raw values"
    return str(caught.value)


def value_of(settings: Settings, key: str) -> Effective:
    return next(entry for entry in effective(settings) if entry.key == key)


def test_without_anything_the_defaults_hold(here: Path) -> None:
    settings = load(environ={})
    assert settings == Settings(data=here / "anruflotse-data")
    assert settings.retention.days == 28
    assert {entry.source for entry in effective(settings)} == {"default"}


def test_command_line_beats_environment_beats_file_beats_default(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {port: 1, workers: 2, calls_per_worker: 3}\n")
    environ = {"ANRUFLOTSE_SIP__PORT": "10", "ANRUFLOTSE_SIP__WORKERS": "20"}
    settings = load(file, {"sip.port": 100}, environ)
    assert (settings.sip.port, settings.sip.workers, settings.sip.calls_per_worker) == (100, 20, 3)
    assert value_of(settings, "sip.port") == Effective("sip.port", 100, "option")
    assert value_of(settings, "sip.workers") == Effective("sip.workers", 20, "env ANRUFLOTSE_SIP__WORKERS")
    assert value_of(settings, "sip.calls_per_worker") == Effective("sip.calls_per_worker", 3, f"file {file}")
    assert value_of(settings, "sip.host") == Effective("sip.host", "127.0.0.1", "default")


def test_the_usual_file_is_read_when_it_is_there(here: Path) -> None:
    write(here / "anruflotse.yaml", "console: {port: 9}\n")
    assert load(environ={}).console.port == 9


def test_the_environment_can_name_the_file(here: Path) -> None:
    write(here / "anruflotse.yaml", "console: {port: 9}\n")
    other = write(here / "other.yaml", "console: {port: 10}\n")
    assert load(environ={"ANRUFLOTSE_CONFIG": str(other)}).console.port == 10


def test_a_path_in_the_file_starts_from_the_file_any_other_from_here(here: Path) -> None:
    file = write(here / "etc" / "site.yaml", "data: var\nprompts: {file: prompts.yaml, recordings: /srv/voice}\n")
    settings = load(file, environ={"ANRUFLOTSE_SPEECH__MODEL": "models/big"})
    assert settings.data == here / "etc" / "var"
    assert settings.prompts.file == here / "etc" / "prompts.yaml"
    assert settings.prompts.recordings == Path("/srv/voice")
    assert settings.speech.model == here / "models" / "big"


def test_a_home_directory_is_understood(here: Path) -> None:
    assert load(environ={"ANRUFLOTSE_DATA": "~/calls"}).data == Path.home() / "calls"
    assert here != Path.home()


def test_lists_may_come_with_commas_or_as_yaml(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {transports: [udp]}\n")
    assert load(file, environ={}).sip.transports == ("udp",)
    assert load(file, environ={"ANRUFLOTSE_SIP__TRANSPORTS": "tcp, udp"}).sip.transports == ("tcp", "udp")


def test_an_empty_variable_is_not_set_and_null_undoes_the_file(here: Path) -> None:
    file = write(here / "site.yaml", "understanding: {route: 0.9}\n")
    assert load(file, environ={"ANRUFLOTSE_UNDERSTANDING__ROUTE": ""}).understanding.route == 0.9
    assert load(file, environ={"ANRUFLOTSE_UNDERSTANDING__ROUTE": "null"}).understanding.route is None


def test_other_programs_variables_are_none_of_our_business(here: Path) -> None:
    assert load(environ={"PATH": "/bin", "ANRUF": "x"}).data == here / "anruflotse-data"


def test_a_key_may_be_written_as_a_bare_number(here: Path) -> None:
    file = write(here / "site.yaml", "call: {objection_key: 7}\n")
    assert load(file, environ={}).call.objection_key == "7"


@pytest.mark.parametrize("text", ["", "# nothing\n", "sip:\n", "sip: {}\n", "---\n"])
def test_an_empty_file_or_section_sets_nothing(here: Path, text: str) -> None:
    assert load(write(here / "site.yaml", text), environ={}).sip.port == 5060


def test_the_registrars_password_is_taken_and_never_shown(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {registration: {registrar: pbx.example, user: bot}}\n")
    settings = load(file, environ={"ANRUFLOTSE_SIP__REGISTRATION__PASSWORD": "geheim"})
    assert settings.sip.registration is not None
    assert settings.sip.registration.password.get_secret_value() == "geheim"
    assert value_of(settings, "sip.registration.password").value == "***"
    assert "geheim" not in repr(settings)


def test_a_section_that_is_null_in_the_file_can_be_filled_by_the_environment(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {registration: null}\n")
    assert load(file, environ={}).sip.registration is None
    environ = {f"ANRUFLOTSE_SIP__REGISTRATION__{name}": "x" for name in ("REGISTRAR", "USER", "PASSWORD")}
    assert load(file, environ=environ).sip.registration is not None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sip:\n  prot: 5070\n", "sip.prot (file FILE, line 2) is not a setting: did you mean sip.port?"),
        ("port: 5070\n", "port (file FILE, line 1) is not a setting: did you mean sip.port?"),
        ("spi: {port: 1}\n", "spi (file FILE, line 1) is not a setting: did you mean sip?"),
        ("colour: blue\n", "colour (file FILE, line 1) is not a setting: `anruflotse settings` lists what can be set."),
        (
            "sip: {port: many}\n",
            "sip.port = 'many' (file FILE, line 1) is not allowed: it must be a whole number from 0 to 65535.",
        ),
        (
            "sip: {port: 70000}\n",
            "sip.port = 70000 (file FILE, line 1) is not allowed: it must be a whole number from 0 to 65535.",
        ),
        (
            "logging:\n  format: jsn\n",
            "logging.format = 'jsn' (file FILE, line 2) is not allowed: it must be one of console, json.",
        ),
        (
            "sip: {transports: [udp, sctp]}\n",
            "sip.transports = ['udp', 'sctp'] (file FILE, line 1) is not allowed: it must be a list of udp, tcp, tls.",
        ),
        ("sip: 5060\n", "sip (file FILE, line 1) is a section: write its keys below it, indented."),
        ("sip:\n  port: 1\n  port: 2\n", "sip.port (file FILE, line 3) is set twice: keep one of the two lines."),
        ("- sip\n", "FILE must hold sections such as `sip:` with keys below; `anruflotse init` writes an example."),
        ("sip: {port: 1\n", "FILE, line 2, column 1: this is not YAML: expected ',' or '}', but got '<stream end>'."),
        ("data: !!python/object:os.system x\n", "FILE, line 1, column 7: this is not YAML: could not determine"),
        (
            "retention: {days: 29}\n",
            "set 1 to 28, or name the legal reason as retention.longer_because",
        ),
        ("retention: {days: 29, longer_because: ' '}\n", "retention.days = 29 is not allowed"),
        (
            "retention: {days: 0}\n",
            "retention.days = 0 (file FILE, line 1) is not allowed: it must be a whole number from 1 to 3650.",
        ),
        (
            "sip: {transports: [tls]}\n",
            "sip.transports holds tls, which needs sip.tls.certificate: a PEM file with key and certificate.",
        ),
        ('insurer: {privacy_contact: {written: "  "}}\n', "insurer.privacy_contact.written"),
        ("call: {human_key: 9}\n", "must be three different keys"),
        (
            "sip: {registration: {registrar: pbx.example, user: bot}}\n",
            "sip.registration.password is missing: sip.registration needs it, and it must be a password.",
        ),
        ("records: {rows: 'postgresql://u@h/d'}\n", "records.rows and records.keys belong together: set both, or"),
        (
            "records: {rows: 'postgresql://u:geheim@h/d', keys: 'postgresql://x:y@h:5432/d'}\n",
            "records.rows and records.keys name the same database: make two, so that no backup of the records",
        ),
        *(
            (
                f"records: {{rows: '{url}', keys: 'postgresql://u:geheim@h/keys'}}\n",
                "records.rows = *** is not allowed: it must be a URL like postgresql://user:password@host:5432/database.",
            )
            for url in ("mysql://u:p@h/d", "postgresql://u:p@h", "postgresql://u:p@h:x/d", "host=h", "/var/d.sqlite")
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_told_in_one_sentence(here: Path, text: str, sentence: str) -> None:
    file = write(here / "site.yaml", text)
    told = refused(file)
    assert sentence.replace("FILE", str(file)) in told
    assert "\n" not in told


def test_databases_are_taken_from_the_environment_and_their_urls_never_shown(here: Path) -> None:
    urls = {name: f"postgresql://u:geheim@h/{name.lower()}" for name in ("ROWS", "KEYS")}
    settings = load(None, environ={f"ANRUFLOTSE_RECORDS__{name}": url for name, url in urls.items()})
    assert settings.records.urls() == {"rows_url": urls["ROWS"], "keys_url": urls["KEYS"]}
    assert value_of(settings, "records.keys").value == "***"
    assert "geheim" not in repr(settings)
    assert set(load(None, environ={}).records.urls().values()) == {None}


def test_a_wrong_secret_is_not_repeated(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {registration: {registrar: a, user: b, password: [geheim]}}\n")
    told = refused(file)
    assert "geheim" not in told
    assert "sip.registration.password = *** " in told


def test_every_wrong_value_gets_its_sentence(here: Path) -> None:
    file = write(here / "site.yaml", "sip: {port: x}\nspeech: {beam: 0}\n")
    first, second = refused(file).splitlines()
    assert first.startswith("sip.port = 'x'")
    assert second.startswith("speech.beam = 0")


def test_a_named_legal_reason_allows_a_longer_retention(here: Path) -> None:
    file = write(here / "site.yaml", "retention: {days: 90, longer_because: § 304 SGB V}\n")
    assert load(file, environ={}).retention.days == 90


@pytest.mark.usefixtures("here")
def test_what_is_wrong_in_the_environment_names_the_variable() -> None:
    assert refused(ANRUFLOTSE_SIP__PROT="1") == (
        "ANRUFLOTSE_SIP__PROT is not a setting: did you mean ANRUFLOTSE_SIP__PORT?"
    )
    assert refused(ANRUFLOTSE_SIP__PORT="x") == (
        "sip.port = 'x' (env ANRUFLOTSE_SIP__PORT) is not allowed: it must be a whole number from 0 to 65535."
    )


@pytest.mark.usefixtures("here")
def test_what_is_wrong_on_the_command_line_says_so() -> None:
    assert refused(None, {"sip.port": -1}) == (
        "sip.port = -1 (command line) is not allowed: it must be a whole number from 0 to 65535."
    )


def test_a_file_that_cannot_be_read_is_named(here: Path) -> None:
    assert f"{here / 'no.yaml'} cannot be read: No such file" in refused(here / "no.yaml")
    assert f"{here} cannot be read: Is a directory" in refused(here)
    (here / "bad.yaml").write_bytes(b"sip: \xff\xfe")
    assert "is not a YAML text file in UTF-8" in refused(here / "bad.yaml")


def test_the_machines_environment_is_read_by_default(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANRUFLOTSE_CONSOLE__PORT", "1234")
    assert os.environ["ANRUFLOTSE_CONSOLE__PORT"] == "1234"
    assert load().console.port == 1234
    assert here.is_dir()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().sip.port = 1


@pytest.mark.usefixtures("here")
def test_every_setting_can_be_set_by_its_variable_to_its_default() -> None:
    for leaf in leaves():
        if leaf.key.startswith(("sip.registration", "understanding.llm")):
            continue
        text = ",".join(leaf.default) if isinstance(leaf.default, list) else str(leaf.default)
        text = "null" if leaf.default is None else text
        settings = load(environ={leaf.variable: text})
        # An empty list cannot be told from an unset variable, and need not be.
        assert value_of(settings, leaf.key).source == (f"env {leaf.variable}" if text else "default")
        assert settings.model_dump() == load(environ={}).model_dump()
