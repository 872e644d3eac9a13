"""Everything that gliowatch gives out is, byte for byte, what the record says."""

from pathlib import Path

import pytest

from tests.golden.collect import SHARED
from tests.golden.record import PARTS, differences, lasting, load_record, made_on

RECORD = load_record()


@pytest.mark.timeout(900)  # where others work beside it; alone all parts take less than 90 s
@pytest.mark.parametrize("part", PARTS)
def test_every_output_is_as_recorded(part: str, tmp_path: Path) -> None:
    if part == "shared" and not SHARED.is_dir():
        pytest.skip("../shared/data is not here")
    if other := differences(RECORD["made_on"], made_on()):
        pytest.skip(f"the record was made with other versions or another processor: {other}")
    items = PARTS[part](tmp_path.resolve() / "hospital")
    found = differences(RECORD[part], lasting(items, part))
    assert not found, "\n".join(["items that differ:", *found])
