"""This module holds a ServePlan: what `butaca serve` decides before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from butaca.errors import SettingError
from butaca.serve.settings import ServeSettings


@dataclass(frozen=True)
class ServePlan:
    """A ServePlan holds every decision of a service: `butaca serve` makes one of its options, as Python can.

    Attributes:
        models: folders by name; the first answers those that name none.
        settings: how it runs.
        version: to answer, of one of the models; None: the one that was chosen, else what lies in the folder.

    Raises:
        SettingError: there is no model, or the settings exclude each other.
    """

    models: Mapping[str, Path]
    settings: ServeSettings = field(default_factory=ServeSettings)
    _: KW_ONLY
    version: str | None = None

    def __post_init__(self) -> None:
        """Checks what can be known before anything is loaded."""
        object.__setattr__(self, "models", {name: Path(folder) for name, folder in self.models.items()})
        if not self.models:
            raise SettingError("A service has a model", "none", "Name at least one folder")

    @property
    def beyond(self) -> str:
        """Names what makes others reach the service, so that it needs keys; empty where nothing does."""
        settings = self.settings
        if not settings.is_local:
            return f"--host {settings.host}"
        if settings.trusted_proxies:
            return "--trusted-proxy"
        if settings.host_names:
            return "--host-name"
        return "--root-path" if settings.root_path else ""

    def check_keys(self, has_keys: bool, store: str) -> None:
        """Checks the plan against whether the store, which is called so, has keys that are in use.

        Raises:
            SettingError: others may reach a service that asks nobody for a key.
        """
        if self.beyond and not has_keys:
            raise SettingError(
                "Beyond this machine, by a name of its own or behind a proxy, the service needs API keys",
                f"{self.beyond} and no keys in {store}",
                "Make one with `butaca keys add NAME --scope read --events "
                f"{shown_address(self.settings.events)}`, or leave it out",
            )


def shown_address(events: str) -> str:
    """Returns the address of a store as it may be shown: a server's without its password.

    >>> shown_address("events.db"), shown_address("postgresql://me:word@host/films")
    ('events.db', 'ADDRESS')
    """
    return events if "://" not in events else "ADDRESS"
