"""What a site sets: one typed class per table of settings.toml, and what can be wrong with them."""

from daemon.settings.tables import (
    DEFAULTS,
    FILE_NAME,
    Allowance,
    DaemonSettings,
    DicomSettings,
    ModelSettings,
    Settings,
    SettingsError,
    ViewerSettings,
    load_settings,
    read_settings,
    site_file,
)

__all__ = [
    "DEFAULTS",
    "FILE_NAME",
    "Allowance",
    "DaemonSettings",
    "DicomSettings",
    "ModelSettings",
    "Settings",
    "SettingsError",
    "ViewerSettings",
    "load_settings",
    "read_settings",
    "site_file",
]
