"""How people of the hospital log in with accounts that are not ours: tables of [[login.oidc]], and
[login.ldap]."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from daemon.permissions import Role
from daemon.settings.remote_systems import NAME, absolute_paths, secret_of

KIND_OF_GROUPS = {  # the list of groups of each role, the highest role first
    Role.ADMIN: "admins",
    Role.REVIEWER: "reviewers",
    Role.UPLOADER: "uploaders",
    Role.READER: "readers",
}


class HospitalLogin(BaseModel):
    """What every such way in has. Units and meanings stand in settings.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    label: str = Field(default="", max_length=60)
    ca: str = ""
    secret_file: str = ""
    secret_variable: str = ""
    answer_seconds: float = Field(default=10.0, gt=0)
    admins: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    uploaders: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    def role_of(self, groups: frozenset[str], folded: Callable[[str], str] = str) -> Role | None:
        """The highest role of who is in these groups; None for nobody of ours.

        folded: makes one of two ways to write a group; `groups` are so already.
        """
        for role, key in KIND_OF_GROUPS.items():
            if groups & {folded(each) for each in getattr(self, key)}:
                return role
        return None

    @property
    def names_groups(self) -> bool:
        """Whether anybody could come in."""
        return any(getattr(self, key) for key in KIND_OF_GROUPS.values())

    def secret(self) -> str:
        """What stands in the file or the variable, '' for none. Raises OSError, UnicodeError."""
        return secret_of(self.secret_file, self.secret_variable)

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, "ca", "secret_file"))


class OidcProvider(HospitalLogin):
    """A provider of OpenID Connect."""

    name: str = Field(pattern=NAME)
    issuer: str = ""
    client_id: str = ""
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.label or self.name


class LdapDirectory(HospitalLogin):
    """[login.ldap]: a directory that is asked by LDAP, over TLS alone."""

    on: bool = False
    url: str = ""
    user_dn: str = ""
    bind_dn: str = ""
    base: str = ""
    user_filter: str = "(uid={name})"
    id_attribute: str = "entryUUID"
    name_attribute: str = "uid"
    full_name_attribute: str = "cn"
    groups_attribute: str = "memberOf"
    group_base: str = ""
    group_filter: str = "(member={dn})"

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.label or "LDAP"


class LoginSettings(BaseModel):
    """[login]: ways in beside the accounts of gliowatch."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    oidc: tuple[OidcProvider, ...] = ()
    ldap: LdapDirectory = LdapDirectory()

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`."""
        oidc = tuple(each.relative_to(folder) for each in self.oidc)
        return self.model_copy(update={"oidc": oidc, "ldap": self.ldap.relative_to(folder)})
