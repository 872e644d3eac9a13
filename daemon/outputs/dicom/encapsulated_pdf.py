"""The report for people as a DICOM object: an Encapsulated PDF (PS3.3 A.45.1)."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from daemon.outputs.catalogue import text
from daemon.outputs.dicom.common_attributes import AnalysisRecord, Series
from daemon.outputs.dicom.source_references import INHERITED, Origin

PDF = "application/pdf"


def build_pdf(origin: Origin, file: Path, analysis: AnalysisRecord) -> Dataset:
    """The page, which names the patient, with references to the images that it speaks of."""
    made = Dataset()
    made.preamble = bytes(128)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    made.SOPClassUID = EncapsulatedPDFStorage
    source = origin.present[0]
    for name in (*INHERITED, "StudyInstanceUID"):
        setattr(made, name, source.get(name, ""))
    _tell_series(made, analysis)
    made.ContentDate = made.ContentTime = None  # the time of the judgement, given to all objects
    made.InstanceCreationDate = made.InstanceCreationTime = None
    made.AcquisitionDateTime = None
    made.InstanceNumber = 1
    made.BurnedInAnnotation = "YES"
    made.SourceInstanceSequence = [_reference(image) for image in origin.present]
    made.DocumentTitle = text("objects.pdf_report")
    made.ConceptNameCodeSequence = []
    made.VerificationFlag = "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = PDF
    embed(made, file)
    return made


def _tell_series(made: Dataset, analysis: AnalysisRecord) -> None:
    series = analysis.series(Series.PDF)
    made.Modality, made.ConversionType = "DOC", "WSD"
    made.SeriesNumber = series["series_number"]
    made.SeriesDescription = series["series_description"]
    made.ContentQualification = series["content_qualification"].value
    made.Manufacturer = analysis.equipment["manufacturer"]
    made.ManufacturerModelName = analysis.equipment["manufacturer_model_name"]
    made.DeviceSerialNumber = analysis.equipment["device_serial_number"]
    made.SoftwareVersions = analysis.equipment["software_versions"]
    made.ContributingEquipmentSequence = [analysis.contribution]


def embed(made: Dataset, file: Path) -> None:
    """Put the page in; one byte more where its length is odd."""
    content = file.read_bytes()
    made.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    made.EncapsulatedDocumentLength = len(content)


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
        image.SOPClassUID,
        image.SOPInstanceUID,
    )
    return item
