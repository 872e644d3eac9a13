"""`gliowatch info`: versions, device, weights and the settings in force."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from daemon.settings import Settings

PACKAGES = ("torch", "numpy", "scipy", "nibabel", "pydicom", "pillow", "aiohttp", "watchdog")


def versions() -> dict[str, str]:
    """Of gliowatch, Python and the packages that count; none of them is loaded for it."""
    packages = {name: version(name) for name in PACKAGES}
    return {"gliowatch": version("gliowatch"), "Python": platform.python_version(), **packages}


def about(settings: Settings) -> dict[str, Any]:
    """Everything that a bug report should hold. Secrets are shown as stars."""
    from model.loading import load_network

    network = load_network(Path(settings.model.weights) if settings.model.weights else None)
    return {
        "gliowatch": version("gliowatch"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": network.device,
        "model": {"name": network.name, "weights_sha256": network.sha256},
        "settings": settings.model_dump(mode="json"),
    }
