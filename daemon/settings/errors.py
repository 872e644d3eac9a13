"""What can be wrong with the keys and values of settings: each fault as one sentence."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from daemon.settings.archives import Destination
from daemon.settings.login import OidcProvider
from daemon.settings.notify import Receiver

PREFIX, BETWEEN = "GLIOWATCH_", "__"  # of the variables that override settings
LONGEST_SHOWN = 60  # characters of a wrong value
SECRET = {"viewer.metrics_token"}  # its value is never shown

# Settings of earlier versions, and what to do now. The one list of them.
RETIRED = {
    "viewer.token": "is gone, since people log in with accounts: delete it {where}, and make the"
    " first account with: gliowatch users add NAME --role admin.",
    "daemon.folder_is_patient_id": "is gone, since daemon.folder says whose a folder is: delete it"
    ' {where}, and set daemon.folder to "patient", "study" or "auto".',
}

MUST = {
    "greater_than": "be more than {gt:g}",
    "greater_than_equal": "be {ge:g} or more",
    "less_than": "be less than {lt:g}",
    "less_than_equal": "be {le:g} or less",
    "finite_number": "be a finite number",
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_parsing_size": "be a whole number of a usual size",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
    "string_too_short": "have {min_length} characters or more",
    "string_too_long": "have {max_length} characters at most",
    "string_type": "be text in quotation marks",
    "path_type": "be text in quotation marks",
    "tuple_type": "be a list in square brackets",
    "missing": "have as many values as its default",
    "too_long": "have as many values as its default",
    "string_pattern_mismatch": 'be "", or two times of day such as "07:00-19:00"',
    "model_type": "be a table",
    "model_attributes_type": "be a table",
}


LISTED: dict[str, type[BaseModel]] = {  # lists of tables, as [[dicom.send]]
    "dicom.send": Destination,
    "login.oidc": OidcProvider,
    "notify.to": Receiver,
}
LISTED_DEPTH = 3  # parts of the place of a whole table: its list's two, and a number
INNER = (("dicom", "priors"), ("login", "ldap"))  # tables in a table
PATTERN_MUST = {
    "name": "have letters, digits, - and _ alone, 1 to 32 of them",
    "addresses": 'be mail addresses such as "ada@hospital.example"',
    "daemon.audit_syslog": 'be "", or an address such as "tls://log.hospital.example:6514"',
    "notify.digest_at": 'be a time of day such as "07:00"',
}


class Stops(StrEnum):
    """What does not start while a fault is there."""

    NOTHING = "nothing"
    VIEWER = "viewer"  # `gliowatch run`, but not `run --once`, which has no viewer
    RUN = "run"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. settings: the keys that it is about, as `daemon.inbox`."""

    settings: tuple[str, ...]
    sentence: str
    stops: Stops = Stops.NOTHING


def key_of(error: ErrorDetails) -> str:
    """The setting that an error is about: `table.key`, or a table alone."""
    return ".".join(str(part) for part in error["loc"][:2])


def fault_of(error: ErrorDetails, file: Path | None, defaults: Mapping[str, Any]) -> Fault:
    """One error of the validation as a fault. defaults: of each table, all its keys."""
    key = key_of(error)
    if error["loc"][:2] in INNER:
        key = ".".join(str(part) for part in error["loc"][:3])
    if key in LISTED and len(error["loc"]) > LISTED_DEPTH:
        return Fault((key,), _of_listed(key, error, file), Stops.RUN)
    if key in RETIRED:
        sentence = f"The setting {key} {RETIRED[key].format(where=_where(key, file))}"
    elif error["type"] == "extra_forbidden":
        sentence = f"There is no setting named {key} {_where(key, file)}{_nearest(key, defaults)}"
    else:
        must = _must(key, error)
        sentence = f"The setting {key} {_where(key, file)} must {must}{_given(key, error)}."
    return Fault((key,), sentence, Stops.RUN)


def _of_listed(key: str, error: ErrorDetails, file: Path | None) -> str:
    """A fault in one of several tables such as [[dicom.send]], which are counted from 1."""
    _, _, number, name = error["loc"][:4]
    place = f"of table {int(number) + 1} of [[{key}]] {_where(key, file)}"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(name), LISTED[key].model_fields, 1)
        return f"There is no setting named {name} {place}" + (
            f": did you mean {near[0]}?" if near else "."
        )
    if error["type"] == "missing":
        return f"The setting {name} {place} is missing."
    must = _must(str(name), error)
    return f"The setting {name} {place} must {must}{_given(str(name), error)}."


def variable_faults(defaults: Mapping[str, Any]) -> list[Fault]:
    """Variables of the environment that name no table, or whose list is not JSON."""
    found = []
    for name in sorted(os.environ):
        table, is_override, key = name.upper().removeprefix(PREFIX).lower().partition(BETWEEN)
        if not name.upper().startswith(PREFIX) or not is_override:
            continue
        setting = f"{table}.{key}"
        if table not in defaults:
            near = _nearest(setting, defaults)
            sentence = f"There is no setting named {setting}, which the variable {name} sets{near}"
            found.append(Fault((setting,), sentence, Stops.RUN))
        elif isinstance(defaults[table].get(key), list) and not _is_list(os.environ[name]):
            sentence = f'The variable {name} must be a list in JSON, such as ["a", "b"].'
            found.append(Fault((setting,), sentence, Stops.RUN))
    return found


def variable_of(key: str) -> str | None:
    """The variable of the environment that overrides a setting, or None."""
    wanted = PREFIX + key.upper().replace(".", BETWEEN)
    return next((name for name in os.environ if name.upper() == wanted), None)


def _where(key: str, file: Path | None) -> str:
    name = variable_of(key)
    return f"in the variable {name}" if name or not file else f"in {file}"


def _nearest(key: str, defaults: Mapping[str, Any]) -> str:
    """The end of a sentence about an unknown key: the key that was probably meant."""
    table, _, name = key.rpartition(".")
    if not table and (tables := get_close_matches(name, defaults, 1)):
        return f": did you mean the table [{tables[0]}]?"
    homes = get_close_matches(table, defaults, 1) + list(defaults)
    for cutoff in (0.99, 0.6):
        for home in homes:
            if found := get_close_matches(name, defaults[home], 1, cutoff):
                return f": did you mean {home}.{found[0]}?"
    return "."


def _must(key: str, error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch" and key in PATTERN_MUST:
        return PATTERN_MUST[key]
    words = MUST.get(error["type"], "have a value of the same kind as its default")
    return words.format(**error.get("ctx", {})).replace("'", '"')


def _given(key: str, error: ErrorDetails) -> str:
    if key in SECRET or error["type"] in ("missing", "too_long"):
        return ""
    shown = json.dumps(error["input"], ensure_ascii=False, default=str)
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]} ..."
    return f"; it is {shown}"


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False
