"""Settings of sign-in by an organisation: an OpenID Connect provider, or a proxy that has checked who comes."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings

from workbench.origin import parse_origin

Role = Literal["annotator", "reviewer", "lead", "admin"]
"""Each has the rights of those before it."""
GroupRoles = Annotated[
    tuple[tuple[str, Role], ...],
    BeforeValidator(lambda given: tuple(given.items()) if isinstance(given, dict) else given),
    PlainSerializer(dict, when_used="json"),
]
"""A table in the file; pairs here, because settings are hashed."""
HeaderName = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9-]+$")
]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OrganisationSettings(BaseSettings):
    password_sign_in: bool = Field(
        default=True, description="false: only the organisation's sign-in, and links of the command line"
    )
    group_roles: GroupRoles = Field(
        default=(), description="the role of each group that may come in; of several, the highest counts"
    )
    oidc_issuer: str | None = Field(
        default=None, description="the provider's address, as its discovery document states it"
    )
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = Field(default="openid profile", pattern=r"^openid( [\x21-\x7e]+)*$")
    oidc_groups_claim: str = "groups"
    oidc_name_claim: str = "name"
    proxy_user_header: HeaderName | None = Field(
        default=None, description="in which a proxy states who has signed in to it"
    )
    proxy_groups_header: HeaderName | None = Field(
        default=None, description="with commas; without it new people are annotators"
    )
    proxy_user_from: tuple[str, ...] = Field(
        default=(),
        description="addresses or networks of the proxy: those headers are believed from them alone",
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _is_reached_safely(cls, issuer: str | None) -> str | None:
        if issuer is None:
            return None
        origin = parse_origin("/".join(issuer.split("/", 3)[:3]))
        if origin is None or (origin.scheme == "http" and origin.name not in LOOPBACK):
            raise ValueError("write it as https://name/path")
        return issuer

    @field_validator("proxy_user_from")
    @classmethod
    def _name_the_proxy(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            if ip_network(address).prefixlen == 0:  # its ValueError names the address
                raise ValueError(f"{address} is everybody: name the proxy")
        return addresses

    @model_validator(mode="after")
    def _sign_in_is_complete(self) -> "OrganisationSettings":
        if self.oidc_issuer and not (self.oidc_client_id and self.group_roles):
            raise ValueError("oidc_issuer needs oidc_client_id and group_roles")
        if self.proxy_user_header and not self.proxy_user_from:
            raise ValueError("proxy_user_header needs proxy_user_from, the address of the proxy")
        if self.proxy_groups_header and not (self.proxy_user_header and self.group_roles):
            raise ValueError("proxy_groups_header needs proxy_user_header and group_roles")
        if not (self.password_sign_in or self.oidc_issuer or self.proxy_user_header):
            raise ValueError(
                "password_sign_in = false needs oidc_issuer or proxy_user_header, or nobody could come in"
            )
        return self
