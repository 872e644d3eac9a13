"""Made-up requests of all kinds against the API's own document: no fault, nothing undocumented."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import one_of
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import open_house
from viewer.api.endpoints import OPERATIONS

pytestmark = pytest.mark.long

EXAMPLES = 25  # of each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("multipart/related")
def of_parts(_context: object, value: object) -> bytes:
    """A body as it was made up: hardly ever one that has parts."""
    return value if isinstance(value, bytes) else str(value).encode()


async def test_no_request_gets_a_fault_or_an_answer_that_is_not_in_the_document(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        for number in range(3):
            await house.add_scan(f"P{number}", f"{number:020x}")
        await house.add_waiting("P4", "w.nii")
        known = {
            "scan_id": f"{1:020x}",
            "patient_key": await house.add_patient("P9", name="Nine"),
            "role": "overlay.png",
        }
        url = str(house.client.make_url(""))
        said = await (await house.client.get("/api/v1/openapi.json", headers=token)).json()
        answers = await asyncio.to_thread(try_all, said, url, token, known)
        assert sum(answers.values()) >= len(OPERATIONS) * EXAMPLES / 2
        assert {200, 201, 400, 404} <= answers.keys()


def try_all(
    document: dict[str, Any], url: str, token: dict[str, str], known: dict[str, str]
) -> Counter[int]:
    """Try every operation; how often each status came. known: ids that there are."""
    generation = GenerationConfig(with_security_parameters=False)
    projects = ProjectsConfig(default=ProjectConfig(generation=generation))
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig(projects=projects))
    schema.validate()  # the document itself is of OpenAPI 3.1
    answers: Counter[int] = Counter()
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]
            named = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
            asked = [operation.as_strategy(mode) for mode in GenerationMode]
            asked += [operation.as_strategy(path_parameters=named)] if named else []

            @seed(7)
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(one_of(asked))
            def try_one(case: "Case[Any]") -> None:
                answer = case.call(base_url=url, session=session, headers=token)
                case.validate_response(answer, checks=CHECKS)
                answers[answer.status_code] += 1

            try_one()
    return answers
