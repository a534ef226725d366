"""A project's settings: `workbench.toml` in its home, then WORKBENCH_* variables."""

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from trainer.selection.lanes import Band, Composition
from workbench.errors import InputError
from workbench.organisation import OrganisationSettings
from workbench.origin import parse_origin

FILE_NAME = "workbench.toml"
VIOLATION_REASONS = ("引流广告", "辱骂", "色情", "欺诈", "涉未成年", "其他")
SKIP_REASONS = ("缺少上下文", "看不懂", "拿不准", "其他")

FREE_KEYS = "123adhijqvwxyz"
MOST_REASONS = 6
LONGEST_REASON = 40

LabelKey = Annotated[str, StringConstraints(pattern=f"^[{FREE_KEYS}]$")]
"""Keys that no command uses (k keeps a doubtful label); c and r belong to Streamlit."""
HostName = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^\s/:@*]+$")]
"""Without scheme and port."""
Reasons = Annotated[
    tuple[
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON)], ...
    ],
    Field(max_length=MOST_REASONS),
]
"""At most as many as their keys, 4 to 9."""

ALLOWED_BASES = ("starter", "hfl/chinese-roberta-wwm-ext")

MOST = 1_000_000_000
MOST_DAYS = 36_500

BAND = Band()
SHARES = Composition()


class Settings(OrganisationSettings):
    """Every field is a key of workbench.toml and a WORKBENCH_ variable."""

    model_config = SettingsConfigDict(env_prefix="WORKBENCH_", extra="forbid", frozen=True)

    language: Literal["en", "zh"] | None = Field(
        default=None, description="of the commands; by default that of the terminal (LANG)"
    )
    base_model: str = "starter"
    allowed_bases: tuple[str, ...] = Field(
        default=ALLOWED_BASES,
        description="other base encoders that a lead may name: folders, or names on the hub",
    )
    band_low: float = Field(default=BAND.low, gt=0, lt=1)
    band_high: float = Field(default=BAND.high, gt=0, lt=1)
    queue_at_least: int = Field(
        default=BAND.at_least,
        ge=1,
        le=MOST,
        description="widen the band by margin until this many are queued",
    )
    queue_at_most: int = Field(default=BAND.at_most, ge=1, le=MOST)
    uncertain_share: int = Field(
        default=SHARES.uncertain,
        ge=1,
        le=MOST,
        description="of what is served; the shares need not add up to 100",
    )
    random_share: int = Field(default=SHARES.random, ge=0, le=MOST)
    violation_share: int = Field(
        default=SHARES.violation, ge=0, le=MOST, description="likely violations outside the band"
    )
    second_opinion_share: int = Field(
        default=SHARES.second_opinion, ge=0, le=MOST, description="posts another person has labelled"
    )
    held_out_share: int = Field(
        default=SHARES.held_out, ge=0, le=MOST, description="until validation and test have enough"
    )
    check_share: int = Field(
        default=2,
        ge=0,
        le=100,
        description="of a hundred posts served, those whose label is known, to measure the annotator; 0: never",
    )
    newest_days: int = Field(
        default=7,
        ge=0,
        le=MOST_DAYS,
        description="newer imports come first, where posts arrive daily; 0: never",
    )
    quick_model_every: int = Field(
        default=10,
        ge=0,
        le=MOST,
        description="new labels after which a quick model orders the queue again; 0: never",
    )
    quick_model_between_rounds: bool = Field(
        default=True, description="false: it orders the queue only until a round is in use"
    )
    validation_target: int = Field(default=300, ge=0, le=MOST)
    test_target: int = Field(default=1_000, ge=0, le=MOST)
    scoring_hours: float = Field(
        default=12,
        gt=0,
        le=24 * MOST_DAYS,
        description="one scoring pass; where it is too short for all posts, some are scored",
    )
    rejects_kept_days: int = Field(
        default=90,
        ge=0,
        le=MOST_DAYS,
        description="unreadable rows of an import, which hold names and texts; 0: for ever",
    )
    claim_minutes: float = Field(default=15, gt=0, le=24 * 60 * MOST_DAYS)
    daily_goal: int = Field(
        default=0,
        ge=0,
        le=MOST,
        description="answers of a person a day, shown on the Label page; a lead may set a person's own; 0: none",
    )
    label_keys: tuple[LabelKey, LabelKey, LabelKey] = Field(
        default=("1", "2", "3"),
        description="for normal, suspicious, violation: 1 to 3, or letters that are free",
    )
    violation_reasons: Reasons = Field(default=VIOLATION_REASONS, description="one more key, never required")
    skip_reasons: Reasons = Field(default=SKIP_REASONS)
    show_suggestion: bool = Field(
        default=False, description="before the answer too; never of held-out posts, which are labelled blind"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65_535)
    public_url: str | None = Field(
        default=None,
        description="the address in the browser behind a reverse proxy: https://label.example.org",
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        default=(), description="other names of this machine; loopback names and `host` are known"
    )
    forwarded_allow_ips: tuple[str, ...] = Field(
        default=(), description="addresses or networks of proxies whose X-Forwarded headers are believed"
    )
    session_idle_hours: float = Field(
        default=72, gt=0, le=24 * 30, description="a sign-in ends after so long without use"
    )
    session_days: float = Field(default=14, gt=0, le=30, description="and after so long in any case")

    @property
    def bases(self) -> tuple[str, ...]:
        """Base encoders of rounds, the project's own first."""
        return tuple(dict.fromkeys((self.base_model, *self.allowed_bases)))

    @property
    def composition(self) -> Composition:
        return Composition(
            self.uncertain_share,
            self.random_share,
            self.violation_share,
            self.second_opinion_share,
            self.held_out_share,
        )

    @property
    def band(self) -> Band:
        return Band(self.band_low, self.band_high, self.queue_at_least, self.queue_at_most)

    @model_validator(mode="after")
    def _band_is_a_range(self) -> "Settings":
        if self.band_low >= self.band_high:
            raise ValueError("band_low must be below band_high")
        return self

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        origin = parse_origin(url)
        if origin is None or not origin.name.isascii():
            raise ValueError("write it as https://name or https://name:port, a name beyond ASCII as xn--")
        return url.rstrip("/")

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _are_networks(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ip_network(address)  # its ValueError names the address
        return addresses

    @field_validator("label_keys")
    @classmethod
    def _keys_differ(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(keys)) < len(keys):
            raise ValueError("every label needs a key of its own")
        return keys


def load_settings(home: Path) -> Settings:
    """Environment variables override the file. Raises InputError naming the file and the first invalid key."""
    file = home / FILE_NAME

    class ProjectSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - fixed signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - fixed signature
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    try:
        return ProjectSettings()
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("passphrase",):
            raise InputError(
                "{file}: remove the line with passphrase. Everybody has a password of their own now: `workbench users`.",
                file=file,
            ) from error
        key = ".".join(map(str, first["loc"])) or "settings"
        raise InputError(
            "{file} or a WORKBENCH_ variable: {key}: {problem}. Correct it and try again.",
            file=file,
            key=key,
            problem=first["msg"],
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("{file} is not valid TOML: {problem}.", file=file, problem=error) from error
