"""Every setting, once, typed: environment ``LIK_*``, then ``.env``, then the defaults here.

`docs/settings.md` lists them all; a test fails when one is missing there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from pipeline.errors import ConfigurationError

_PREFIX: Final = "LIK_"
_FIELD: Final = re.compile(r'field "(\w+)"')
_SCHEMES: Final = {
    "redis_url": ("redis://", "rediss://", "unix://"),
    "database_url": ("sqlite+aiosqlite://", "postgresql+asyncpg://"),
}


class Settings(BaseSettings):
    """Settings of every process of the pipeline. Field ``kafka_bootstrap`` is ``LIK_KAFKA_BOOTSTRAP``.

    A variable that is empty counts as one that is not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        # The value of a setting may be a secret, or hold one, as the URLs do.
        hide_input_in_errors=True,
    )

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port, comma separated.")
    kafka_partitions: int = Field(4, ge=1, description="Partitions of a topic that has yet to be created.")
    kafka_replication: int = Field(1, ge=1, description="Replicas of a topic that has yet to be created.")
    kafka_in_flight_bytes: int = Field(
        0,
        ge=0,
        description="Most unconsumed bytes per partition that one producer leaves on a topic before it "
        "waits; 0 is no limit. The embedded broker needs one: it drops what is older than about 5 MiB.",
    )
    kafka_create_topics: bool = Field(
        True, description="Create missing topics at start. The embedded broker makes them by itself: false."
    )
    kafka_max_message_bytes: int = Field(4_194_304, ge=65_536, description="Largest message produced or fetched.")
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis with the hotlists; unix:// works too.")
    database_url: str = Field(
        "sqlite+aiosqlite:///kruispunt.db",
        description="SQLAlchemy URL of alerts and audit: sqlite+aiosqlite:// or postgresql+asyncpg://.",
    )
    state_dir: Path = Field(Path("var"), description="Folder for the snapshot's copy and Faust's tables.")
    cameras: Path = Field(Path("cameras.json"), description="The registry of cameras, a JSON file.")

    console_host: str = Field("127.0.0.1", description="Address the console listens on.")
    console_port: int = Field(8080, ge=0, le=65535, description="Port of the console.")
    console_secret: SecretStr = Field(
        SecretStr(""), description="Key that signs sessions; empty: a random one at each start."
    )
    console_secure_cookies: bool = Field(False, description="Cookies over HTTPS only; set it behind TLS.")
    console_trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies before the console, comma separated: what they say of where "
        "a request came from is believed. Empty: nobody is.",
    )
    console_tiles: str = Field(
        "",
        description="Address of map tiles, as https://tiles.example/{z}/{x}/{y}.png; empty: a map without tiles.",
    )
    oidc_issuer: str = Field("", description="OpenID Connect issuer to sign in with; empty: passwords alone.")
    oidc_client_id: str = Field("", description="This console's client id at the issuer.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="This console's client secret at the issuer.")
    oidc_role_claim: str = Field("groups", description="Claim of the ID token that lists somebody's groups.")
    oidc_roles: dict[str, str] = Field(
        {}, description="Group of the issuer to role of the console, as JSON; other groups give none."
    )
    api_tokens: dict[str, dict[str, str]] = Field(
        {},
        description='API tokens as JSON: {"name": {"sha256": "hex of the token", "scopes": "alerts:read"}}; '
        "docs/console.md lists the scopes.",
    )
    admin_token: SecretStr = Field(
        SecretStr(""), description="API token of the admin endpoint (hotlists); empty: tokens are refused."
    )
    upload_max_bytes: int = Field(
        2_147_483_648, ge=1024, description="Largest hotlist file that the console takes, as it is sent."
    )
    gateway_host: str = Field("127.0.0.1", description="Address the ingest gateway listens on.")
    gateway_port: int = Field(8081, ge=0, le=65535, description="Port of the ingest gateway.")
    gateway_token: SecretStr = Field(
        SecretStr(""), description="API token that feeds present; empty: every feed is refused."
    )
    gateway_max_body_bytes: int = Field(2_097_152, ge=1024, description="Largest body the gateway accepts.")
    gateway_max_in_flight: int = Field(
        256, ge=1, description="Requests being published at once; one more is answered 429."
    )
    metrics_host: str = Field("127.0.0.1", description="Address of the workers' /metrics.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of this worker's /metrics; 0: none.")

    match_batch_reads: int = Field(1024, ge=1, description="Most reads that are matched at once.")
    ocr_model: str = Field(
        "",
        description="What reads plates: empty, the model that comes with the package; else the path of an ONNX "
        "file in fast-plate-ocr's format, its plate configuration beside it, or the name of one of its published "
        "models.",
    )
    ocr_threads: int = Field(2, ge=1, description="Cores that one call of the OCR model may use.")
    ocr_batch_frames: int = Field(16, ge=1, description="Most frames that are read at once.")
    frame_max_age_s: float = Field(
        30.0,
        gt=0,
        description="A frame that waited longer than this is shed, counted, when the worker is behind.",
    )
    future_tolerance_s: float = Field(
        120.0,
        ge=0,
        description="How far ahead of our clock a camera's may run before its reads are rejected.",
    )
    reject_payload_bytes: int = Field(2048, ge=0, description="How much of a rejected input is kept.")
    suppression_window_s: float = Field(
        900.0, ge=0, description="Hits on one entry in one zone within this time are sightings of one alert."
    )

    receivers: Path = Field(
        Path("receivers.json"), description="Who is told of released alerts (docs/notifications.md), a JSON file."
    )
    public_url: str = Field(
        "", description="Address of the console as units reach it, for the link in a notification; empty: no link."
    )
    notify_attempts: int = Field(
        6, ge=1, description="How often one notification is tried before it is given up, for the operator to see."
    )
    escalate_after_s: float = Field(
        120.0,
        gt=0,
        description="A released alert that no unit has answered within this time goes to the next receivers.",
    )
    rir_intake_url: str = Field(
        "", description="Where information reports are posted, beside the topic rir.intake; empty: nowhere."
    )
    rir_intake_token: SecretStr = Field(
        SecretStr(""), description="Bearer token for the address of the intake; empty: none is sent."
    )
    zone_language: Literal["nl", "fr", "en"] = Field(
        "nl", description="Language in which information reports are drafted and printed, and units are told."
    )
    search_reason_after_days: int = Field(
        30,
        ge=0,
        description="Looking at alerts older than this asks for a reason and, by role, an authorisation number "
        "(Wet op het politieambt: free access during the first month only).",
    )
    keep_alerts_days: int = Field(
        365,
        ge=1,
        le=365,
        description="How long alerts and their hits are kept (Wet op het politieambt: twelve months at most).",
    )
    keep_pictures_days: int = Field(
        30, ge=1, le=365, description="How long the pictures of an alert are kept; never longer than the alert."
    )
    keep_deliveries_days: int = Field(
        90, ge=1, le=365, description="How long records of notifications are kept; never longer than the alert."
    )
    keep_reports_days: int = Field(
        365, ge=1, description="How long the desk's copies of information reports are kept; the zone decides."
    )
    keep_audit_days: int = Field(3650, ge=365, description="How long the audit trail is kept; the zone decides.")
    keep_figures_days: int = Field(
        400, ge=31, le=3650, description="How long counts per camera and hour, and camera notices, are kept."
    )
    camera_quiet_after_s: float = Field(
        1800.0,
        gt=0,
        description="A camera is not called quiet before it was silent this long, however busy it usually is.",
    )
    camera_clock_drift_s: float = Field(
        10.0, gt=0, description="A camera whose clock is off by more than this raises a notice."
    )

    budget_read_to_hit_ms: float = Field(25.0, gt=0, description="Budget: read appended to hit appended.")
    budget_read_to_alert_ms: float = Field(250.0, gt=0, description="Budget: read appended to alert sent out.")
    budget_frame_to_alert_ms: float = Field(1000.0, gt=0, description="Budget: frame appended to alert sent out.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR. Plate text is logged at DEBUG only."
    )

    @field_validator("redis_url", "database_url")
    @classmethod
    def _check_scheme(cls, value: str, info: ValidationInfo) -> str:
        schemes = _SCHEMES[str(info.field_name)]
        if not value.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


def load_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises
    ------
    ConfigurationError
        A value is not what its setting takes, or ``.env`` cannot be read. Names every such variable and what it
        takes, never a value.
    """
    try:
        return Settings()
    except ValidationError as error:
        # The cause is left out: with it, a traceback would show what was given.
        raise ConfigurationError(_describe(error)) from None
    except SettingsError as error:
        # Names the field, and nothing that was given.
        field = _FIELD.search(str(error))
        name = f"{_PREFIX}{field[1].upper()}" if field else "a setting"
        raise ConfigurationError(f"{name}: not a JSON object; docs/settings.md shows how it is written") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f".env: cannot be read ({type(error).__name__}); it is a UTF-8 text") from None


def _describe(error: ValidationError) -> str:
    problems = [
        f"{_PREFIX}{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(problems) + ". Set it right in the environment or in .env; docs/settings.md describes each"
