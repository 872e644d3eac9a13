"""settings.toml as typed tables with their defaults; a misspelt key is refused in a sentence."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

from daemon.settings.archives import Destination, FhirServer, Priors, ResultReceiver
from daemon.settings.errors import INNER, Fault, Stops, fault_of, key_of, variable_faults
from daemon.settings.login import LoginSettings
from daemon.settings.notify import NotifySettings
from daemon.settings.remote_systems import absolute_paths
from daemon.settings.workers import WorkersSettings
from model.errors import GliowatchError
from model.rules import CHANGE_RULES as SAME
from model.rules import RULES, FlairRules

FILE_NAME = "settings.toml"


class SettingsError(GliowatchError):
    """settings.toml, or a variable that overrides it, cannot be used; the sentence says why."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Allowance:
    """How long a piece of work may take, and how many bytes its process may hold meanwhile."""

    seconds: float
    memory_bytes: int


_TIME = r"([01]\d|2[0-3]):[0-5]\d"


class DaemonSettings(_Table):
    """[daemon]: folders and the queue. Units and meanings stand in settings.toml."""

    inbox: Path = Path("inbox")
    outbox: Path = Path("outbox")
    index: Path = Path("index.sqlite")
    records: Path = Path("records.sqlite")
    copies: Path = Path("copies")
    group: str = ""
    records_copies: int = Field(default=14, ge=1)
    live_copy: str = ""
    copy_hour: int = Field(default=2, ge=0, le=23)
    audit_syslog: str = Field(default="", pattern=r"^((tls|tcp)://[^\s/:]+:\d{1,5})?$")
    audit_syslog_ca: str = ""
    rest_seconds: float = Field(default=10.0, ge=0)
    close_seconds: float = Field(default=60.0, ge=0)
    reconcile_seconds: float = Field(default=60.0, gt=0)
    watch: Literal["events", "polling"] = "events"
    remove_empty_folders: bool = False
    ignore_names: tuple[str, ...] = ("Thumbs.db", "desktop.ini")
    wait_suffixes: tuple[str, ...] = (".part", ".tmp", "~")
    folder: Literal["patient", "study", "auto"] = "patient"
    attempts: int = Field(default=3, ge=1)
    retry_seconds: float = Field(default=20.0, ge=0)
    scan_timeout_seconds: float = Field(default=600.0, gt=0)
    worker_memory_gb: float = Field(default=8.0, gt=0)
    slots: int = Field(default=2, ge=1, le=32)
    confine_workers: bool = True
    reserve_gb: float = Field(default=2.0, ge=0)
    check_share: float = Field(default=0.0, ge=0, le=1)
    keep_days: float = Field(default=0.0, ge=0)
    keep_gb: float = Field(default=0.0, ge=0)
    grace_days: float = Field(default=30.0, ge=0)
    keep_aside_days: float = Field(default=0.0, ge=0)
    verifying_organization: str = Field(default="", max_length=64)
    rejection_notes: bool = False
    settle_series: tuple[str, ...] = ()
    settle_stations: tuple[str, ...] = ()
    quiet_hours: str = Field(default="", pattern=rf"^({_TIME}-{_TIME})?$")

    @property
    def allowance(self) -> Allowance:
        """What one piece of a worker's work may take."""
        return Allowance(self.scan_timeout_seconds, int(self.worker_memory_gb * 1e9))

    @property
    def study_seconds(self) -> float:
        """How long the DICOM files of a patient rest: never shorter than any other file."""
        return max(self.rest_seconds, self.close_seconds)

    @property
    def polling_seconds(self) -> float | None:
        """How often to compare the inbox with itself, or None where events are told."""
        return self.reconcile_seconds if self.watch == "polling" else None

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`."""
        paths = {name: folder / getattr(self, name) for name in _PATHS}
        optional = absolute_paths(self, folder, "live_copy", "audit_syslog_ca")
        return self.model_copy(update={**paths, **optional})


_PATHS = ("inbox", "outbox", "index", "records", "copies")


class ModelSettings(_Table):
    """[model]: how a scan is analyzed."""

    weights: str = ""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    quality: Literal["fast", "best"] = "fast"
    smallest_lesion_mm3: float = Field(default=100.0, ge=0)
    least_flair: float = Field(default=0.35, ge=0, lt=1)
    flair_names: tuple[str, ...] = RULES.flair_names
    other_names: tuple[str, ...] = RULES.other_names
    never_names: tuple[str, ...] = RULES.never_names
    contrast_names: tuple[str, ...] = RULES.contrast_names
    inversion_ms: tuple[float, float] = RULES.inversion_ms
    shortest_echo_ms: float = Field(default=RULES.shortest_echo_ms, ge=0)
    same_spacing_ratio: float = Field(default=SAME.spacing_ratio, ge=1)
    same_plane_degrees: float = Field(default=SAME.plane_degrees, ge=0, le=90)
    same_lesion_mm: float = Field(default=SAME.same_lesion_mm, ge=0)
    shortest_days: float = Field(default=SAME.shortest_days, ge=0)
    save_probabilities: bool = False
    threads: int = Field(default=0, ge=0)

    @property
    def weights_file(self) -> Path | None:
        """Of one's own; None for those that are shipped."""
        return Path(self.weights) if self.weights else None

    @property
    def flair_rules(self) -> FlairRules:
        """How the FLAIR among the series of a DICOM study is told."""
        return FlairRules(
            flair_names=self.flair_names,
            other_names=self.other_names,
            never_names=self.never_names,
            contrast_names=self.contrast_names,
            inversion_ms=self.inversion_ms,
            shortest_echo_ms=self.shortest_echo_ms,
        )


OpenIn = Annotated[str, Field(pattern=r"^\S[^<>\"]*? (https?|weasis)://\S*\{study\}\S*$")]


class ViewerSettings(_Table):
    """[viewer]: the address of the pages."""

    host: str = "127.0.0.1"
    port: int = Field(default=8737, ge=0, le=65535)
    idle_minutes: float = Field(default=15, gt=0)
    session_hours: float = Field(default=12, gt=0)
    tls_certificate: str = ""
    tls_key: str = ""
    trusted_proxies: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    allow_plain_http: bool = False
    max_upload_mb: int = Field(default=2000, ge=1)
    open_in: tuple[OpenIn, ...] = ()
    night_begins: int = Field(default=18, ge=0, le=23)
    recent_days: int = Field(default=7, ge=1)
    metrics_token: SecretStr = SecretStr("")
    sagittal_nose_left: bool = True
    slice_seconds: float = Field(default=60.0, gt=0)
    slice_memory_mb: int = Field(default=4000, ge=100)
    read_only: bool = False

    @property
    def slice_allowance(self) -> Allowance:
        """What drawing a slice, or measuring a mask that is drawn, may take."""
        return Allowance(self.slice_seconds, self.slice_memory_mb * 10**6)


class TrainingSettings(_Table):
    """[training]: defaults of `gliowatch train`."""

    batch: int = Field(default=8, ge=1)
    steps: int = Field(default=4200, ge=1)
    rate: float = Field(default=0.002, gt=0)
    width: int = Field(default=32, ge=1)
    levels: int = Field(default=4, ge=1, le=5)
    stem: Literal[1, 2] = 2
    coarse_share: float = Field(default=0.6, ge=0, lt=1)
    islands: float = Field(default=0.2, ge=0, le=1)
    validation_share: float = Field(default=0.12, gt=0, lt=1)
    seed: int = 7


class DicomSettings(_Table):
    """[dicom]: the DICOM node, `gliowatch receive`; where results go, `gliowatch send`."""

    on: bool = False
    ae_title: str = Field(default="GLIOWATCH", min_length=1, max_length=16)
    host: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    calling_ae_titles: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    allow_anyone: bool = False
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    associations: int = Field(default=250, ge=1, le=250)
    max_object_mb: int = Field(default=4000, ge=1)
    begin_seconds: float = Field(default=30.0, gt=0)
    idle_seconds: float = Field(default=120.0, gt=0)
    hold_seconds: float = Field(default=900.0, gt=0)
    reserve_gb: float = Field(default=2.0, ge=0)
    stow: bool = False
    priors: Priors = Priors()
    send: tuple[Destination, ...] = ()

    @property
    def sorts(self) -> bool:
        """Whether objects come that have to be sorted into studies."""
        return self.on or self.stow or (self.priors.on and self.priors.is_web)

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        paths = absolute_paths(self, folder, "tls_certificate", "tls_key", "tls_ca")
        send = tuple(each.relative_to(folder) for each in self.send)
        priors = self.priors.relative_to(folder)
        return self.model_copy(update={**paths, "send": send, "priors": priors})


class LogSettings(_Table):
    """[log]: the log in files, beside standard error."""

    folder: str = ""
    file_mb: float = Field(default=20.0, gt=0)
    files: int = Field(default=5, ge=1, le=1000)

    @property
    def file(self) -> Path | None:
        """Where `gliowatch run` logs beside standard error, or None."""
        return Path(self.folder, "gliowatch.log") if self.folder else None

    @property
    def file_bytes(self) -> int:
        """How large it may grow."""
        return int(self.file_mb * 1e6)

    def relative_to(self, folder: Path) -> Self:
        """The same table with its path made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, "folder"))


class Settings(BaseSettings):
    """All tables. The environment (GLIOWATCH_TABLE__KEY) goes before the file."""

    model_config = SettingsConfigDict(
        env_prefix="GLIOWATCH_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    daemon: DaemonSettings = DaemonSettings()
    model: ModelSettings = ModelSettings()
    viewer: ViewerSettings = ViewerSettings()
    training: TrainingSettings = TrainingSettings()
    dicom: DicomSettings = DicomSettings()
    fhir: FhirServer = FhirServer()
    log: LogSettings = LogSettings()
    login: LoginSettings = LoginSettings()
    notify: NotifySettings = NotifySettings()
    workers: WorkersSettings = WorkersSettings()

    @property
    def receivers(self) -> tuple[ResultReceiver, ...]:
        """All to whom results go: the archives, then the FHIR server."""
        return (*self.dicom.send, *((self.fhir,) if self.fhir.url else ()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what the file said; nothing else is read."""
        return env_settings, init_settings


TABLES = {"daemon": DaemonSettings, "model": ModelSettings}
TABLES |= {"viewer": ViewerSettings, "training": TrainingSettings, "dicom": DicomSettings}
TABLES |= {"log": LogSettings, "notify": NotifySettings, "fhir": FhirServer}
TABLES |= {"workers": WorkersSettings, "login": LoginSettings}
DEFAULTS = {name: table().model_dump(mode="json") for name, table in TABLES.items()}
DEFAULTS |= {".".join(each): DEFAULTS[each[0]][each[1]] for each in INNER}


@dataclass(frozen=True)
class Reading:
    """A settings file as it was read. settings: None where nothing of it can be used.

    With faults, they are the settings without the faulty ones: good to look for more faults.
    """

    settings: Settings | None
    faults: tuple[Fault, ...] = ()


def load_settings(file: Path | None) -> Settings:
    """Read `file`, or ./settings.toml if it is there, or take the defaults from this folder.

    Relative paths count from the file's own folder. Raises SettingsError.
    """
    reading = read_settings(file)
    if reading.faults or not reading.settings:
        raise SettingsError(reading.faults[0].sentence)
    return reading.settings


def site_file(file: Path | None) -> Path:
    """`file`, or ./settings.toml. Raises SettingsError where there is none."""
    if file is None and not Path(FILE_NAME).exists():
        raise SettingsError(
            f"There is no {FILE_NAME} in {Path().resolve()}, and nothing was made. gliowatch init"
            f" makes {FILE_NAME} here, with its folders inbox, outbox and copies;"
            " --settings FILE names a file elsewhere."
        )
    return file or Path(FILE_NAME)


def read_settings(file: Path | None) -> Reading:
    """As `load_settings`, but with all faults of the file and of the environment."""
    if file is None and Path(FILE_NAME).exists():
        file = Path(FILE_NAME)
    file = file.absolute() if file else None
    try:
        content = _read(file) if file else {}
    except SettingsError as error:
        return Reading(None, (Fault((), str(error), Stops.RUN),))
    if faults := variable_faults(DEFAULTS):
        return Reading(None, tuple(faults))
    return _validated(content, file)


def _validated(content: dict[str, Any], file: Path | None) -> Reading:
    folder = (file.parent if file else Path()).resolve()
    try:
        return Reading(_in_folder(Settings(**content), folder))
    except ValidationError as error:
        errors = error.errors()
    except SourceError:
        sentence = "A GLIOWATCH_ variable of the environment cannot be read: lists are JSON."
        return Reading(None, (Fault((), sentence, Stops.RUN),))
    faults = tuple({fault_of(each, file, DEFAULTS): None for each in errors})
    rest = _without(content, {key_of(each) for each in errors})
    try:
        return Reading(_in_folder(Settings(**rest), folder), faults)
    except (ValidationError, SourceError):  # a variable is wrong: nothing can be left out
        return Reading(None, faults)


def _without(content: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in table.items() if f"{name}.{key}" not in keys}
        for name, table in content.items()
        if name not in keys
    }


def _in_folder(settings: Settings, folder: Path) -> Settings:
    """The same with all paths made absolute; "" stays, as it means that there is no file."""
    model, viewer = settings.model, settings.viewer
    tls = absolute_paths(viewer, folder, "tls_certificate", "tls_key")
    return settings.model_copy(
        update={
            "daemon": settings.daemon.relative_to(folder),
            "model": model.model_copy(update=absolute_paths(model, folder, "weights")),
            "viewer": viewer.model_copy(update=tls),
            "dicom": settings.dicom.relative_to(folder),
            "fhir": settings.fhir.relative_to(folder),
            "log": settings.log.relative_to(folder),
            "notify": settings.notify.relative_to(folder),
            "workers": settings.workers.relative_to(folder),
            "login": settings.login.relative_to(folder),
        }
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not valid TOML: {error}.") from None
