"""What a dropped file is by its name, before anything of it is opened."""

from enum import StrEnum

NIFTI_SUFFIXES = (".nii", ".nii.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
ARCHIVE_SUFFIXES = (".zip",)


class Kind(StrEnum):
    """What was dropped, as the report names it."""

    DICOM = "dicom"
    NIFTI = "nifti"
    IMAGE = "image"


def kind_by_name(name: str) -> Kind:
    """NIfTI and pictures by their ending; any other name, or none, may be a DICOM file."""
    lower = name.lower()
    if lower.endswith(NIFTI_SUFFIXES):
        return Kind.NIFTI
    if lower.endswith(PICTURE_SUFFIXES):
        return Kind.IMAGE
    return Kind.DICOM


def is_archive(name: str) -> bool:
    """True for a zip file, by its ending."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)
