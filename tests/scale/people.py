"""Invented patients of a large hospital, with names in several scripts."""

import random
from collections.abc import Iterator

from tests.scale.moments import moment_before

FIRST = (
    *("Anna", "Øyvind", "José", "Zoë", "Jürgen", "Siân", "Łukasz", "Mary-Jane", "O'Neill", "Ngọc"),
    *("ليلى", "محمد", "Ольга", "Дмитрий", "Ελένη", "נועה", "さくら", "지우", "小龙", "आरव"),
)
LAST = (
    *("Müller", "Smith", "García", "Nguyễn", "Østergård", "Kowalska", "Çelik", "Ó Briain", "Silva"),
    *("بنت أحمد", "Иванова", "Παπαδόπουλος", "כהן", "佐藤", "김", "李", "शर्मा", "Rossi", "Dubois"),
)
SYLLABLES = (
    "ba",
    "dor",
    "el",
    "fin",
    "gar",
    "hu",
    "is",
    "ka",
    "lem",
    "mo",
    "nu",
    "ros",
    "ta",
    "vi",
)
INSERT = (
    "INSERT INTO patients (patient_key, patient_id, name, birth_date, gender, doctor, created_at,"
    " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def patient_id_of(number: int) -> str:
    """The folder of a patient; one in twenty has an id in another script."""
    return f"مريض-{number:06d}" if number % 20 == 7 else f"P{number:06d}"


def patients(count: int, chance: random.Random) -> Iterator[tuple[str, ...]]:
    """Rows for INSERT; one in fifteen has no name, since nobody has entered one."""
    for number in range(count):
        made = moment_before(chance.random() * 2900 * 86400)
        birth = f"{chance.randrange(1930, 2020)}-{chance.randrange(1, 13):02d}-11"
        name = "" if number % 15 == 4 else _name(chance)
        doctor = f"Dr {chance.choice(LAST)}"
        key = f"{number:08x}{chance.getrandbits(32):08x}"
        yield (key, patient_id_of(number), name, birth, chance.choice("FM"), doctor, made, made)


def _name(chance: random.Random) -> str:
    """As DICOM tells names, with a caret, or as people write them."""
    middle = "".join(chance.choices(SYLLABLES, k=3)).title()
    first, last = chance.choice(FIRST), chance.choice(LAST)
    return f"{last}^{first} {middle}" if chance.random() < 0.5 else f"{first} {middle} {last}"
