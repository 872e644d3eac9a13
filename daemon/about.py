"""`gliowatch info`: versions, device, weights and the settings in force."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from daemon.settings import Settings

PACKAGES = ("openvino", "numpy", "scipy", "nibabel", "pydicom", "pillow", "aiohttp", "watchdog")
OPTIONAL = ("torch", "monai")  # the extra `train`


def versions() -> dict[str, str]:
    """Of gliowatch, Python and the packages that count; none of them is loaded for it."""
    packages = {name: version(name) for name in PACKAGES}
    return {"gliowatch": version("gliowatch"), "Python": platform.python_version(), **packages}


def about(settings: Settings) -> dict[str, Any]:
    """Everything that a bug report should hold. Secrets are shown as stars."""
    from model.network.network import load_network

    network = load_network(Path(settings.model.weights) if settings.model.weights else None)
    return {
        "gliowatch": version("gliowatch"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in (*PACKAGES, *OPTIONAL)},
        "device": network.device,
        "model": {"name": network.name, "weights_sha256": network.sha256},
        "settings": settings.model_dump(mode="json"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
