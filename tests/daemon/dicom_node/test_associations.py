"""The account of associations: kept over a restart, bounded, and read by whoever asks."""

from pathlib import Path

from daemon.dicom_node.associations import KEPT, Account, Book, Ending, read_account


def test_what_came_is_counted_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "associations.json"
    assert read_account(file) == Account()
    book = Book(file)
    book.listens(11112)
    first, second = book.begin("10.0.0.1"), book.begin("10.0.0.2")
    book.name(first, "PACS1")
    book.stored(first, 1000)
    book.stored(first, 500)
    book.refuse_object(first)
    book.filed(studies=1, doubles=1)
    book.end(second, Ending.CALLED)
    book.write()
    account = read_account(file)
    assert account.port == 11112
    assert [(each.number, each.calling, each.ending) for each in account.associations] == [
        (first, "PACS1", Ending.OPEN),
        (second, "", Ending.CALLED),
    ]
    assert (account.sums.objects, account.sums.size, account.sums.refused_objects) == (2, 1500, 1)
    assert (account.sums.associations, account.sums.refused_associations) == (0, 1)
    assert (account.sums.studies, account.sums.doubles) == (1, 1)


def test_what_a_kill_left_open_has_ended_and_numbers_go_on(tmp_path: Path) -> None:
    file = tmp_path / "associations.json"
    book = Book(file)
    number = book.begin("10.0.0.1")
    book.write()
    again = Book(file)
    assert again.begin("10.0.0.1") == number + 1
    again.write()
    newest, older = read_account(file).associations
    assert (newest.ending, older.ending) == (Ending.OPEN, Ending.BROKEN)
    assert older.ended_at


def test_a_flood_is_counted_and_only_the_last_are_kept(tmp_path: Path) -> None:
    book = Book(tmp_path / "associations.json")
    for _ in range(3 * KEPT):
        book.end(book.begin("10.0.0.9"), Ending.ADDRESS)
    book.write()
    account = read_account(tmp_path / "associations.json")
    assert len(account.associations) == KEPT
    assert account.sums.refused_associations == 3 * KEPT


def test_a_damaged_account_is_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "associations.json"
    for content in ("", "[]", '{"associations": [{}]}', "{"):
        file.write_text(content)
        assert read_account(file) == Account()
