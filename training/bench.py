"""What training gives to `gliowatch bench`: the common way, and the training step; or nothing.

Both need torch; where it is missing, there are no such rows, and the rest is measured all the same.
"""

from importlib.util import find_spec
from pathlib import Path

from model.network import Network
from model.timing import Row
from model.volume import Volume


def common_rows(volume: Volume, network: Network, folder: Path) -> tuple[Row, ...]:
    """The same work done the common way; none where torch is missing."""
    if find_spec("torch") is None:
        return ()
    from training.common_way import rows_of

    return rows_of(volume, network, folder)


def training_rows(folder: Path) -> tuple[Row, ...]:
    """A step of training beside the plain loop's, and the part of it that draws a batch.

    Raises ModuleNotFoundError where torch is missing: there is nothing to be trained.
    """
    from training.bench_step import rows_of

    return rows_of(folder)
