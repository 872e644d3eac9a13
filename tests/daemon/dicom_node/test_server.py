"""What comes in is written as it is and answered; what may not come is refused with a status."""

import contextlib
import gc
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE

from daemon.dicom_node.associations import Ending
from daemon.dicom_node.presentation_contexts import SYNTAXES, storage_classes
from tests.daemon.dicom_node.senders import (
    associated,
    cut_after,
    listening,
    picture,
    pixels,
    send,
)
from tests.programs import program

STUDY = "1.2.3.4"
# pynetdicom as a sender leaves sockets that the other side closed to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a sender left is collected here, and not in some later test."""
    yield
    gc.collect()


def test_echo_and_objects_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sent = [picture("P1", STUDY), picture("P1", STUDY)]
    with listening(tmp_path, monkeypatch) as node:
        with associated(node.port) as association:
            echo = association.send_c_echo()
            assert echo is not None
            assert echo.Status == 0
            answers = [association.send_c_store(each) for each in sent]
        assert [answer.Status for answer in answers if answer] == [0, 0]
        assert node.endings(1) == [Ending.RELEASED]
        found = [dcmread(path) for path in node.objects()]
        assert {pixels(each) for each in found} == {pixels(each) for each in sent}
        assert {each.file_meta.TransferSyntaxUID for each in found} == {ExplicitVRLittleEndian}
        assert {each.SOPInstanceUID for each in found} == {each.SOPInstanceUID for each in sent}
        assert not list(node.staging.arriving.iterdir())
        assert all(path.stat().st_mode & 0o777 == 0o640 for path in node.objects())
    assert "P1" not in caplog.text


def test_the_same_object_twice_is_kept_once_and_another_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = generate_uid()
    one, other = picture("P1", STUDY, uid=uid), picture("P1", STUDY, uid=uid)
    with listening(tmp_path, monkeypatch) as node:
        assert send(node.port, one, one, other) == [0, 0, 0]
        assert {pixels(dcmread(path)) for path in node.objects()} == {pixels(one), pixels(other)}
        assert len(node.objects()) == 2


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_uids_that_are_paths_name_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = picture("../../etc", "../../../up", uid="../../../../tmp/x")
    with listening(tmp_path, monkeypatch) as node:
        (status,) = send(node.port, odd)
        assert status == 0
        (path,) = node.objects()
        assert path.parent == node.staging.arrived
        assert "tmp" not in path.name
        assert not (tmp_path / "tmp").exists()


def test_other_titles_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tmp_path, monkeypatch, calling_ae_titles=["PACS1"]) as node:
        for called, calling, reason in (("OTHER", "PACS1", 7), ("GLIOWATCH", "PACS2", 3)):
            with associated(node.port, called, calling) as refused:
                assert refused.is_rejected
                primitive = refused.acceptor.primitive
                assert primitive is not None
                assert primitive.diagnostic == reason
        with associated(node.port, calling="PACS1") as taken:
            assert taken.is_established
        endings = node.endings(3)
        assert sorted(endings) == sorted([Ending.CALLED, Ending.CALLING, Ending.RELEASED])


def test_other_addresses_are_not_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, monkeypatch, addresses=["10.0.5.0/24", "192.0.2.7"]) as node:
        with associated(node.port) as refused:
            assert not refused.is_established
        assert node.endings(1) == [Ending.ADDRESS]


def test_a_syntax_and_a_class_that_are_not_taken_are_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity = AE("SENDER")
    entity.add_requested_context(MRImageStorage, ["1.2.840.10008.1.2.4.100"])  # MPEG2
    entity.add_requested_context("1.2.840.10008.5.1.4.1.2.2.1")  # C-FIND
    entity.add_requested_context("1.2.840.10008.1.1")
    with listening(tmp_path, monkeypatch) as node:
        association = entity.associate("127.0.0.1", node.port, ae_title="GLIOWATCH")
        assert sorted(each.result or 0 for each in association.rejected_contexts) == [3, 4]
        assert len(association.accepted_contexts) == 1
        association.release()


def test_what_is_offered() -> None:
    assert len(SYNTAXES) == 15
    for uid in (
        *("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"),  # MR, Enhanced MR
        *("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.33"),  # SEG, SR
        *("1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.88.59"),  # PDF, KO
        *("1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.7"),  # PR, SC
    ):
        assert uid in storage_classes()


def test_an_object_that_is_too_large_is_refused_and_the_next_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = picture("P1", STUDY, 3_000_000), picture("P1", STUDY)
    with listening(tmp_path, monkeypatch, max_object_mb=1) as node:
        assert send(node.port, large, small) == [0xC001, 0]
        assert [pixels(dcmread(path)) for path in node.objects()] == [pixels(small)]
        assert not list(node.staging.arriving.iterdir())


def test_below_the_reserve_objects_are_refused_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, monkeypatch, reserve_gb=1e9) as node:
        assert send(node.port, picture("P1", STUDY)) == [0xA700]
        assert node.objects() == []
        assert not list(node.staging.arriving.iterdir())


def test_a_network_that_is_cut_in_mid_object_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        listening(tmp_path, monkeypatch) as node,
        cut_after(node.port, 200_000) as port,
        associated(port) as association,
    ):
        answers = [association.send_c_store(picture("P1", STUDY, 150_000)) for _ in range(2)]
        assert [getattr(answer, "Status", -1) for answer in answers] == [0, -1]
        assert node.endings(1) == [Ending.BROKEN]
        assert len(node.objects()) == 1
        assert not list(node.staging.arriving.iterdir())


def test_a_peer_that_never_releases_and_one_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, monkeypatch, idle_seconds=3.0, begin_seconds=1.0) as node:
        silent = socket.create_connection(("127.0.0.1", node.port))
        entity = AE("SENDER")
        entity.add_requested_context(MRImageStorage, [ExplicitVRLittleEndian])
        idle = entity.associate("127.0.0.1", node.port, ae_title="GLIOWATCH")
        answer = idle.send_c_store(picture("P1", STUDY))
        assert answer.Status == 0
        assert sorted(node.endings(2)) == sorted([Ending.NO_REQUEST, Ending.IDLE])
        idle.join(30)
        assert idle.is_aborted
        silent.close()
        assert len(node.objects()) == 1


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xf0",  # an association request of four gigabytes
        b"\x04\x00\x7f\xff\xff\xff",  # data of two, without any association
    ],
)
def test_no_dicom_and_endless_pdus_end_their_connection_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    with listening(tmp_path, monkeypatch, begin_seconds=1.0) as node:
        with (
            socket.create_connection(("127.0.0.1", node.port), 60) as client,
            contextlib.suppress(ConnectionError),
        ):
            client.sendall(first + b"\0" * 60)
            while client.recv(1000):
                pass
        assert len(node.endings(1)) == 1
        with associated(node.port) as association:
            assert association.is_established


def test_too_many_at_once_are_asked_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, monkeypatch, associations=1) as node:
        with associated(node.port) as first:
            assert first.is_established
            with associated(node.port) as second:
                assert second.is_rejected
                primitive = second.acceptor.primitive
                assert primitive is not None
                assert (primitive.result, primitive.result_source, primitive.diagnostic) == (
                    2,
                    3,
                    2,
                )
        assert sorted(node.endings(2)) == sorted([Ending.BUSY, Ending.RELEASED])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities in a folder; each signed a server's or a client's certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        subprocess.run(
            [
                *(program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"),
                *("-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")),
            ],
            check=True,
            capture_output=True,
        )
    return folder


def test_tls_with_the_right_and_the_wrong_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: Path
) -> None:
    ours, theirs = certificates / "ours.pem", certificates / "theirs.pem"
    keys = {
        "tls_certificate": str(ours),
        "tls_key": str(ours.with_suffix(".key")),
        "tls_ca": str(ours),
    }
    with listening(tmp_path, monkeypatch, **keys) as node:
        silent = socket.create_connection(("127.0.0.1", node.port))  # holds up nobody
        for certificate in (theirs, None, ours):
            context = ssl.create_default_context(cafile=str(ours))
            if certificate:
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            entity = AE("SENDER")
            entity.add_requested_context(MRImageStorage, [ExplicitVRLittleEndian])
            association = entity.associate(
                "127.0.0.1", node.port, ae_title="GLIOWATCH", tls_args=(context, "127.0.0.1")
            )
            assert association.is_established is (certificate == ours)
            if certificate == ours:
                assert association.send_c_store(picture("P1", STUDY)).Status == 0
                association.release()
        assert sorted(node.endings(3)) == sorted([Ending.TLS, Ending.TLS, Ending.RELEASED])
        silent.close()
        assert len(node.objects()) == 1
