"""Every sentence that people read stands in the catalogue once, is used, and is filled in right."""

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from daemon.outputs.catalogue import SENTENCES
from daemon.settings import DicomSettings
from daemon.settings.archives import FhirServer, Priors
from daemon.settings.login import LoginSettings
from model.catalogue import Catalogue, Words
from tests.conftest import ROOT

ROOMS = ("model", "daemon", "viewer", "tools")
CALLS = ("text", "note", "words", "t")
FORMS = (".one", ".other")
ENUMERATIONS = {  # tables whose names come from data: every one of them is in use
    *("finding", "finding_part", "finding_short", "side", "side_of", "lobe", "depth", "height"),
    *("kind", "state", "role", "right", "audit_action", "record", "gender", "decide", "decision"),
    *(
        "shape_name",
        "reject_reason",
        "window_preset",
        "stage",
        "role_file",
        "worklist_state",
        "flag",
        "differs",
    ),
    *(
        "settle_reason",
        "queue_said",
        "association_ending",
        "sending_state",
        "sending_kind",
        "sending_reason",
        "sending_commitment",
        "notify_reason",
        "notify_part",
        "notify_kind",
        "notify_by",
        "months_mark",
        "months_figure",
    ),
}
# Settings that are named as a table of sentences is; `dicom.` alone begins such a name.
SETTINGS = {"dicom.", *(f"dicom.{name}" for name in DicomSettings.model_fields)}
SETTINGS |= {f"fhir.{name}" for name in FhirServer.model_fields}
SETTINGS |= {"dicom.priors.", *(f"dicom.priors.{name}" for name in Priors.model_fields)}
SETTINGS |= {"login.", *(f"login.{name}" for name in LoginSettings.model_fields)}
FILE_NAME = re.compile(r"\.(json|pdf|png|html|js|css|nii|hdr|img|zip|dcm|toml|gz)$")
KEYS = SENTENCES.sentences
TABLES = {key.split(".")[0] for key in KEYS}
TEMPLATES = sorted((ROOT / "viewer/templates").glob("*.html"))
STATIC = ROOT / "viewer/static"
SCRIPTS = sorted(
    each for at in ("", "canvas", "drawing", "measuring") for each in (STATIC / at).glob("*.js")
)
MODULES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


@dataclass(frozen=True)
class Use:
    """A key that a file names, whole or up to its first variable part, and the names it fills in.

    values: None where a call passes them on in one mapping, or the key is no call's.
    """

    file: Path
    key: str
    is_prefix: bool
    values: set[str] | None

    def found(self) -> set[str]:
        """The sentences that it may be; of a page's table those alone that the file names."""
        if not self.is_prefix:
            return {key for key in (self.key, *(self.key + end for end in FORMS)) if key in KEYS}
        begun = {key for key in KEYS if key.startswith(self.key)}
        if self.key.split(".")[0] in ENUMERATIONS:
            return begun
        source = self.file.read_text()
        names = {key: key.removeprefix(self.key).split(".")[0] for key in begun}
        return {key for key, name in names.items() if re.search(rf"\b{name}", source)}


def _is_key(literal: str) -> bool:
    table, dot, _ = literal.partition(".")
    plain = re.fullmatch(r"[a-z_]+\.[A-Za-z0-9_.]*", literal)
    is_other = FILE_NAME.search(literal) or literal in SETTINGS
    return bool(dot and plain and table in TABLES and not is_other)


def python_uses(file: Path) -> Iterator[Use]:
    """Every literal of a module that has the form of a key, with the values of its call."""
    tree = ast.parse(file.read_text())
    of_call: dict[int, set[str] | None] = {}
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        name = getattr(call.func, "id", "")
        if name in CALLS and call.args:
            names = {each.arg for each in call.keywords}
            told = None if None in names else {str(each) for each in names}
            of_call |= {id(literal): told for literal in ast.walk(call.args[0])}
            yield from _by_code(file, call, name, told)
    joined = [each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)]
    parts = {id(part) for each in joined for part in each.values}
    for each in joined:
        if isinstance(each.values[0], ast.Constant) and _is_key(str(each.values[0].value)):
            yield Use(file, str(each.values[0].value), True, of_call.get(id(each)))
    for literal in (each for each in ast.walk(tree) if isinstance(each, ast.Constant)):
        if id(literal) not in parts and isinstance(literal.value, str) and _is_key(literal.value):
            yield Use(file, literal.value, False, of_call.get(id(literal)))


def _by_code(file: Path, call: ast.Call, name: str, told: set[str] | None) -> Iterator[Use]:
    """`words` names a table, `note` the code of a doubt or another sentence for it."""
    if name == "words" and isinstance(call.args[0], ast.Constant):
        yield Use(file, f"{call.args[0].value!s}.", True, None)
    if name == "note":
        for literal in ast.walk(call.args[min(1, len(call.args) - 1)]):
            if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                yield Use(file, f"note.{literal.value}", False, told)


def template_uses(file: Path) -> Iterator[Use]:
    """Every key that a template names."""
    tree = jinja2.Environment().parse(file.read_text())
    for call in tree.find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name == "t"):
            continue
        told = {each.key for each in call.kwargs}
        first = call.args[0]
        if isinstance(first, nodes.Concat):
            assert isinstance(first.nodes[0], nodes.Const)
            yield Use(file, first.nodes[0].value, True, told)
        else:
            for literal in _literals(first):
                yield Use(file, literal, False, told)


def _literals(node: nodes.Node) -> Iterator[str]:
    """The keys that a call may have: a literal, or the two ends of a condition."""
    if isinstance(node, nodes.CondExpr):
        yield from _literals(node.expr1)
        assert node.expr2 is not None
        yield from _literals(node.expr2)
    elif isinstance(node, nodes.Const):
        yield str(node.value)


def script_uses(file: Path) -> Iterator[Use]:
    """Every key that a script names."""
    for match in re.finditer(r'text\("([\w.]+)"(?:, \{([^}]*)\})?\)', file.read_text()):
        told = {each.split(":")[0].strip() for each in (match[2] or "").split(",") if each.strip()}
        yield Use(file, match[1], False, told)
    for match in re.finditer(r'"(script_\w+\.\w+)"', file.read_text()):
        yield Use(file, match[1], False, None)


def uses() -> Iterator[Use]:
    """All of them."""
    for module in MODULES:
        yield from python_uses(module)
    for template in TEMPLATES:
        yield from template_uses(template)
    for script in SCRIPTS:
        yield from script_uses(script)


ALL = list(uses())


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_key_in_use_is_in_the_catalogue() -> None:
    assert not [
        f"{use.file.name}: {use.key}" for use in ALL if use.key != "note." and not use.found()
    ]


def test_every_sentence_is_used() -> None:
    literals = {match for file in MODULES for match in re.findall(r'"([a-z_]+)"', file.read_text())}
    notes = {f"note.{name}" for name in literals}  # a code that is kept as a constant
    used = set().union(*(use.found() for use in ALL))
    bare = {key.removesuffix(".one").removesuffix(".other") for key in KEYS if key not in used}
    assert not sorted(bare - notes)


def test_values_and_names_in_sentences_agree() -> None:
    wrong = []
    for use in (each for each in ALL if each.values is not None and not each.is_prefix):
        given = (use.values or set()) | {"count"}
        wrong += [
            f"{use.file.name}: {key}" for key in use.found() if not _names(KEYS[key]) <= given
        ]
    assert not wrong


def test_forms_of_a_sentence_are_two() -> None:
    begun = {key.removesuffix(".one") for key in KEYS if key.endswith(".one")}
    assert not [key for key in begun for end in FORMS if key + end not in KEYS]


def test_no_sentence_is_empty_or_has_blanks_around_it() -> None:
    for key, sentence in KEYS.items():
        assert sentence.strip() == sentence or key == "change.percent", key
        assert sentence, key


def test_a_key_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    table = '[a]\nfew = { one = "1 scan", other = "{count} scans" }\n'
    (tmp_path / "en" / "a.toml").write_text(table)
    found = Catalogue(tmp_path)
    assert found.text("a.few", count=1) == "1 scan"
    assert found.text("a.few", count=2) == "2 scans"
    assert dict(Words(found, "a.few")) == {"one": "1 scan", "other": "{count} scans"}
    for key in ("a.many", "a.few"):
        with pytest.raises(KeyError):
            found.text(key)


ALLOWED = {  # its name, a command, and an attribute that a page gives to the body
    *("gliowatch", "gliowatch users add NAME --role admin", 'data-mark="'),
}
SHOWN = ("aria-label", "title", "alt", "placeholder", "data-key-help")
QUIET = ("script", "style", "kbd")
LETTER = re.compile(r"[^\W\d_]")


class BareWords(HTMLParser):
    """What is visible in a template beside what the catalogue gives."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.found += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in QUIET:
            self.found.append(data)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_templates_hold_no_words_of_their_own(template: Path) -> None:
    source = template.read_text()
    tokens = jinja2.Environment().lex(source)
    marks = {"variable_end": "\0"}
    page = BareWords()
    page.feed(
        "".join(value if kind == "data" else marks.get(kind, "") for _, kind, value in tokens)
    )
    pieces = (piece.strip(" \n\0·,:") for words in page.found for piece in words.split("\0"))
    assert not [piece for piece in pieces if LETTER.search(piece) and piece not in ALLOWED]
    consts = jinja2.Environment().parse(source).find_all(nodes.Const)
    literals = {each.value for each in consts if isinstance(each.value, str)}
    assert not [each for each in literals if re.search(r"^[A-Z][a-z]|[a-z] [a-z]", each)]


CONSOLE = {"Slices are drawn by the server:"}  # for who looks into a broken page


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_scripts_hold_no_sentences(script: Path) -> None:
    lines = [line.split(" // ")[0] for line in script.read_text().splitlines()]
    code = "\n".join(line for line in lines if not line.lstrip().startswith("//"))
    literals = re.findall(r'"([^"\n]*)"|`([^`\n]*)`', code)
    words = [one or other for one, other in literals]
    found = [each for each in words if re.match(r"[A-Z][a-z]+( |$)", each) and each not in CONSOLE]
    assert not [each for each in found if each not in KEYBOARD]


KEYBOARD = {"Home", "Enter", "Event", "Accept"}


def _annotations(tree: ast.Module) -> Iterator[ast.AST]:
    """The types that a module names: of arguments, results and fields."""
    for each in ast.walk(tree):
        for name in ("annotation", "returns"):
            if isinstance(kind := getattr(each, name, None), ast.AST):
                yield kind


# What is not for pages: the API's document, metrics, and what the viewer tells the terminal.
FOR_OTHERS = (
    "viewer/api/endpoints.py",
    "viewer/api/openapi.py",
    "viewer/monitoring.py",
    "viewer/app.py",
)


@pytest.mark.parametrize(
    "module",
    [file for file in MODULES if file.is_relative_to(ROOT / "viewer")],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_modules_of_pages_hold_no_sentences(module: Path) -> None:
    if str(module.relative_to(ROOT)) in FOR_OTHERS:
        return
    tree = ast.parse(module.read_text())
    quiet = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    quiet |= {id(each.msg) for each in ast.walk(tree) if isinstance(each, ast.Assert)}
    quiet |= {id(each) for kind in _annotations(tree) for each in ast.walk(kind)}
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "LOG":
            quiet |= {id(each) for each in ast.walk(call)}
    found = [
        each.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in quiet
        if re.search(r"[a-z],? [a-z]|[a-z]\.$|^[A-Z][a-z]+$", each.value)
        and not _is_key(each.value)
    ]
    known = {
        "Authorization",
        "Bearer",
        "Cc",
        "Origin",
        "Server",
        "Strict",
        "Female",
        "Male",
        "Other",
        *("Accept", "Value"),  # of HTTP and DICOM JSON
    }
    assert not [each for each in found if each not in known and each not in NOT_SHOWN]


NOT_SHOWN = {
    *("Authorization", "Bearer", "Origin", "Referer", "Server", "Strict"),  # of HTTP
    *("Female", "Male", "Other"),  # as the records keep them
    "Cc",  # of Unicode
    "export const SHARES = ",  # of a script
    "a form in a form",  # of a ValueError that is caught at once
    "Maximum request body size",  # how aiohttp's own sentence begins
    *("unknown page", " by token "),  # in the log and in the audit
    *("token address ", "hospital_login address "),  # subjects of the records
    "Lax",  # of a cookie
    '<meta name="sentences" content="{}">',
    "Seen",
    "Identity",
    "Glance",
    "Understood",
    "SomeForm",
    "Came",  # names of types
}
