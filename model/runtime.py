"""OpenVINO, the runtime that judges on a processor, imported without its model converter.

The converter is not needed here, and would load OpenVINO's telemetry: nothing in a hospital
shall be able to report to anybody. It also takes a third of the time of the import.
"""

import importlib
import sys
from typing import Any

CONVERTER = "openvino.tools.ovc"


def _without_converter() -> Any:
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]  # so that it cannot load
    return importlib.import_module("openvino")


openvino = _without_converter()
