"""The settings themselves: frozen models whose descriptions are also the comments of the example file.

A description is one sentence with the unit; types and bounds say what is allowed, and `keys` puts them in words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypedDict
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

LONGEST_RETENTION_DAYS = 28
"""The number the public notice promises (its section "Speicherdauer")."""


def _split(value: object) -> object:
    """Let the environment write a list as `udp,tcp`; one entry alone is a list of one."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _written_bare(value: object) -> object:
    """Take a telephone key that YAML read as a number, because nobody quotes a 9."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Transport = Literal["udp", "tcp", "tls"]
Codec = Literal["pcma", "pcmu", "g722"]
Port = Annotated[int, Field(ge=0, le=65535)]
Key = Annotated[Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"], BeforeValidator(_written_bare)]
Share = Annotated[float, Field(ge=0, le=1)]
Transports = Annotated[tuple[Transport, ...], BeforeValidator(_split), Field(min_length=1)]
Codecs = Annotated[tuple[Codec, ...], BeforeValidator(_split), Field(min_length=1)]
AudioPort = Annotated[int, Field(ge=1024, le=65535)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
POSTGRES_URL = "a URL like postgresql://user:password@host:5432/database"
PostgresUrl = Annotated[SecretStr, WithJsonSchema({"type": "string", "format": "postgresql"})]
FederalState = Literal[
    "BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH", "TH"
]  # fmt: skip


class Section(BaseModel):
    """What every section is: unchangeable after the start, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


class PrivacyContact(Section):
    """Whom callers turn to about their data (P16)."""

    spoken: Text = "unsere Datenschutzbeauftragte oder unseren Datenschutzbeauftragten"
    """As the voicebot says it when a caller asks who is responsible for data protection."""
    written: Text = "Datenschutzbeauftragter der mkk – meine krankenkasse"
    """As the public notice and the console print it, with address or e-mail."""


class Insurer(Section):
    """The insurer that answers the phone."""

    name: Text = "mkk – meine krankenkasse"
    """The insurer's name as it is printed."""
    spoken_name: Text = "mkk"
    """The insurer's name as the voicebot says it; a long one makes the spoken notice longer than 12 s."""
    privacy_contact: PrivacyContact = PrivacyContact()
    """Whom callers turn to about their data."""
    federal_state: FederalState = "BE"
    """The federal state whose public holidays close the departments."""


class Registration(Section):
    """An account at a SIP registrar (digest authentication)."""

    registrar: Text
    """The registrar's host name or address, with :PORT where it is not the usual one."""
    user: Text
    """The account's user name."""
    password: SecretStr = Field(min_length=1)
    """The account's password; better given as environment variable than in the file."""
    transport: Transport = "udp"
    """How the registrar is reached."""


class Tls(Section):
    """What the TLS transport needs."""

    certificate: Path | None = None
    """One PEM file with private key, certificate and chain; needed as soon as sip.transports holds tls."""


class Sip(Section):
    """The telephone line."""

    host: Text = "127.0.0.1"
    """The address to listen on for SIP and RTP."""
    port: Port = 5060
    """The port for UDP and TCP, TLS takes the next one; 0 takes any free port."""
    transports: Transports = ("udp", "tcp")
    """How calls may arrive; tls brings SRTP with it."""
    tls: Tls = Tls()
    """Certificate and key of the TLS transport."""
    codecs: Codecs = ("pcma", "pcmu", "g722")
    """Audio codecs offered, the preferred one first."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that carry calls; one that dies takes only its own calls along."""
    calls_per_worker: Annotated[int, Field(ge=1, le=200)] = 100
    """Calls one worker takes at once; further ones are answered busy."""
    registration: Registration | None = None
    """An account at a registrar; without one the line is a plain trunk."""
    first_rtp_port: AudioPort = 16384
    """The lowest UDP port for audio; the firewall must let the whole range in."""
    last_rtp_port: AudioPort = 32767
    """The highest UDP port for audio; a call takes two."""

    @model_validator(mode="after")
    def _tls_needs_files(self) -> Self:
        if "tls" in self.transports and not self.tls.certificate:
            message = "sip.transports holds tls, which needs sip.tls.certificate: a PEM file with key and certificate."
            raise ValueError(message)
        if "tls" in self.transports and self.port == 65535:  # noqa: PLR2004 - the last port there is
            message = "sip.port = 65535 is not allowed with tls, which takes the next port: it must be 65534 at most."
            raise ValueError(message)
        return self


class Console(Section):
    """The web pages for staff and the public notice."""

    host: Text = "127.0.0.1"
    """The address to listen on; put a reverse proxy with TLS in front of anything but loopback."""
    port: Port = 8080
    """The port to listen on; 0 takes any free port."""


class Retention(Section):
    """How long recordings and what was derived from them exist (P11)."""

    days: Annotated[int, Field(ge=1, le=3650)] = LONGEST_RETENTION_DAYS
    """Days after the recording until it and everything derived from it is deleted."""
    longer_because: str | None = None
    """The legal reason for more than 28 days, by its name; without one more is refused."""
    sweep_seconds: Annotated[float, Field(ge=1, le=86400)] = 60.0
    """Seconds between two sweeps for expired records."""

    @model_validator(mode="after")
    def _promise(self) -> Self:
        if self.days > LONGEST_RETENTION_DAYS and not (self.longer_because or "").strip():
            message = (
                f"retention.days = {self.days} is not allowed: the public notice promises {LONGEST_RETENTION_DAYS} "
                f"days at most; set 1 to {LONGEST_RETENTION_DAYS}, or name the legal reason as "
                "retention.longer_because."
            )
            raise ValueError(message)
        return self


class Urls(TypedDict):
    """The two databases of the record store, as it takes them."""

    rows_url: str | None
    keys_url: str | None


class Records(Section):
    """Where records rest: files in the data directory, or two PostgreSQL databases; see docs/records.md."""

    rows: PostgresUrl | None = None
    """The database of the sealed records; better given as environment variable than in the file."""
    keys: PostgresUrl | None = None
    """The database of their keys, without history in any backup or archive; better on a server of its own."""

    def urls(self) -> Urls:
        """Both URLs with their passwords, named as the record store takes them."""
        rows, keys = (None if url is None else url.get_secret_value() for url in (self.rows, self.keys))
        return {"rows_url": rows, "keys_url": keys}

    @model_validator(mode="after")
    def _two_databases(self) -> Self:
        if (self.rows is None) != (self.keys is None):
            message = "records.rows and records.keys belong together: set both, or neither for files."
            raise ValueError(message)
        places = [_database(key, url) for key, url in (("rows", self.rows), ("keys", self.keys)) if url is not None]
        if len(set(places)) < len(places):
            message = (
                "records.rows and records.keys name the same database: make two, so that no backup of the records "
                "holds their keys."
            )
            raise ValueError(message)
        return self


def _database(key: str, url: SecretStr) -> tuple[str, int, str]:
    """Host, port and name of a database. Raises `ValueError`, which does not quote the URL."""
    try:
        parts = urlsplit(url.get_secret_value())
        host, port, name = parts.hostname or "", parts.port or 5432, parts.path.strip("/")
        if parts.scheme == "postgresql" and name and "/" not in name:
            return host, port, name
    except ValueError:
        pass
    message = f"records.{key} = *** is not allowed: it must be {POSTGRES_URL}."
    # The cause would quote what was given.
    raise ValueError(message) from None


class Transit(Section):
    """A key in the transit engine of HashiCorp Vault; log in with one of token, token_file and role_id."""

    address: Text | None = None
    """Where Vault answers, as https://HOST:PORT; also needed while records are moved away from it."""
    key: Text = "anruflotse"
    """The name of the transit key, of type aes256-gcm96."""
    mount: Text = "transit"
    """Where the transit engine is mounted."""
    token: SecretStr | None = Field(default=None, min_length=1)
    """A token; better given as environment variable than in the file."""
    token_file: Path | None = None
    """File with a token, as a Vault agent writes it; read again when it changes."""
    role_id: Text | None = None
    """The role of an AppRole login."""
    secret_id: SecretStr | None = Field(default=None, min_length=1)
    """The secret of the AppRole login; better given as environment variable than in the file."""
    namespace: Text | None = None
    """The namespace, where Vault has any."""
    ca_file: Path | None = None
    """PEM file of the CA that signed Vault's certificate; null is the usual public ones."""

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.address is not None and sum(x is not None for x in (self.token, self.token_file, self.role_id)) != 1:
            message = "keys.vault.address needs one way to log in: keys.vault.token, token_file or role_id."
            raise ValueError(message)
        if (self.role_id is None) != (self.secret_id is None):
            message = "keys.vault.role_id and keys.vault.secret_id belong together: set both or neither."
            raise ValueError(message)
        return self


class Keys(Section):
    """Where the master key is that everything stored is sealed with (docs/keys.md)."""

    provider: Literal["local", "vault"] = "local"
    """What new records are sealed with: a key on this machine, or one in HashiCorp Vault."""
    vault: Transit = Transit()
    """A key in the transit engine of HashiCorp Vault."""

    @model_validator(mode="after")
    def _vault_has_an_address(self) -> Self:
        if self.provider == "vault" and self.vault.address is None:
            message = "keys.provider = vault needs keys.vault.address, as https://HOST:PORT."
            raise ValueError(message)
        return self


class Speech(Section):
    """Hearing."""

    model: Path | None = None
    """Directory of another CTranslate2 Whisper model; null is the embedded one."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Utterances recognised at the same time, one processor core each."""
    beam: Annotated[int, Field(ge=1, le=20)] = 5
    """Beam width of the recogniser; 1 is fastest."""
    hints: bool = False
    """Whether the recogniser is told the catalogue's words; a third slower, and no help to the embedded one."""


class Prompts(Section):
    """What the voicebot says."""

    file: Path | None = None
    """YAML file with the prompts' texts; null is the shipped one."""
    recordings: Path | None = None
    """Directory of WAV files by a person; one with a prompt's name replaces the synthetic voice."""
    speed: Annotated[float, Field(ge=0.5, le=2)] = 0.95
    """Speaking rate of the synthetic voice; 1.0 is its natural one."""


class Departments(Section):
    """Who is responsible."""

    catalogue: Path | None = None
    """YAML file with departments, targets, opening hours and concerns; null is the shipped one."""


class Processors(Section):
    """Who may receive data on the insurer's behalf (P14)."""

    agreements: Path | None = None
    """YAML file with the register of agreements; null is the shipped one."""


class LanguageModel(Section):
    """A second opinion from a language model, on sentences the classifier is not sure about; OpenAI-compatible."""

    url: Text
    """Its base URL, as in https://llm.example/v1; without TLS only on this machine (http://127.0.0.1:8000/v1)."""
    model: Text
    """The model's name there."""
    api_key: SecretStr | None = Field(default=None, min_length=1)
    """Its key, if it wants one; better given as environment variable than in the file."""
    processor: Text | None = None
    """Who runs it, as a key of the register of processors; null when it runs on the insurer's own machines."""
    timeout_seconds: Annotated[float, Field(ge=0.1, le=10)] = 2.0
    """Seconds it has for an answer; then the classifier's own ranking stands, and the caller has waited in silence."""
    ca_file: Path | None = None
    """PEM file with the certificates to trust; null is what the system trusts."""


class Understanding(Section):
    """From words to a decision; thresholds are probabilities, null is the value the model was trained with."""

    model: Path | None = None
    """Directory of another trained model; null is the shipped one."""
    route: Share | None = None
    """From this probability on the call is routed without asking back."""
    confirm: Share | None = None
    """From this probability on the caller is asked to confirm the concern."""
    choose: Share | None = None
    """From this joint probability of the two likeliest on the caller is asked which one it is."""
    outside: Share | None = None
    """From this probability of being out of scope on the caller is asked again."""
    llm: LanguageModel | None = None
    """A second opinion from a language model; without one nothing is sent anywhere."""


class Call(Section):
    """How a call is led."""

    objection_key: Key = "9"
    """The key that objects to the recording."""
    human_key: Key = "0"
    """The key that asks for a human."""
    repeat_key: Key = "*"
    """The key that repeats what was said last."""
    silence_seconds: Annotated[float, Field(ge=1, le=60)] = 7.0
    """Seconds of silence after a question until it is asked again."""
    max_seconds: Annotated[float, Field(ge=30, le=3600)] = 240.0
    """Seconds after which a call that is still with the voicebot goes to a human."""
    transfer_seconds: Annotated[float, Field(ge=1, le=180)] = 25.0
    """Seconds a transfer target may ring until the next one is tried."""
    recognition_seconds: Annotated[float, Field(ge=0.5, le=60)] = 8.0
    """Seconds the recogniser may take until the call goes to a human."""
    concern_pause_ms: Annotated[int, Field(ge=200, le=5000)] = 700
    """Milliseconds of silence that end what a caller says about the concern."""
    answer_pause_ms: Annotated[int, Field(ge=200, le=5000)] = 450
    """Milliseconds of silence that end a short answer."""

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        if len({self.objection_key, self.human_key, self.repeat_key}) < 3:  # noqa: PLR2004 - the three keys above
            message = "call.objection_key, call.human_key and call.repeat_key must be three different keys."
            raise ValueError(message)
        return self


class Rights(Section):
    """Requests of persons under Articles 15 to 21 GDPR (P15); see docs/rights.md."""

    objection_years: Annotated[int, Field(ge=1, le=30)] = 3
    """Years for which calls from a number are not recorded after an objection through data protection."""
    case_days: Annotated[int, Field(ge=30, le=3650)] = 1095
    """Days for which a request is kept after it was closed, as proof that it was answered rightly."""
    supervisory_authority: Text = (
        "Die Bundesbeauftragte für den Datenschutz und die Informationsfreiheit, Graurheindorfer Straße 153, 53117 Bonn"
    )
    """Where people can complain, as letters print it, with its address."""


class Logging(Section):
    """What the operator's log looks like; it goes to stderr and never holds personal data."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important kind of event that is still written."""
    format: Literal["console", "json"] = "console"
    """Text for people, or one JSON object a line for a log collector."""


class Settings(Section):
    """Everything that can be set, by section."""

    data: Path = Path("anruflotse-data")
    """The directory for records, keys and models; must be writable and is created when missing."""
    insurer: Insurer = Insurer()
    sip: Sip = Sip()
    console: Console = Console()
    retention: Retention = Retention()
    records: Records = Records()
    keys: Keys = Keys()
    speech: Speech = Speech()
    prompts: Prompts = Prompts()
    departments: Departments = Departments()
    processors: Processors = Processors()
    understanding: Understanding = Understanding()
    call: Call = Call()
    rights: Rights = Rights()
    logging: Logging = Logging()

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def embedded_model(self) -> Path:
        """Where the embedded recogniser's model is joined (`make setup` does it); used when speech.model is null."""
        return self.data / "models" / "whisper-base"

    def source(self, key: str) -> str:
        """Where the value of a dotted key came from: `default`, `file FILE`, `env NAME` or `option`."""
        return self._sources.get(key, "default")
