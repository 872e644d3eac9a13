"""Which DICOM elements stay in a de-identified file, and in what form: all others go.

PS3.15 Table E.1-1 lists what must go. Here it is the other way round: what is not listed goes, so
that private, unknown and future elements go without anybody thinking of them. What stays is what
the picture's grid, grey values and sequence follow from.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from model.rules import FlairRules

PICTURES: frozenset[UID] = frozenset(
    {
        MRImageStorage,
        EnhancedMRImageStorage,
        LegacyConvertedEnhancedMRImageStorage,
        CTImageStorage,
        EnhancedCTImageStorage,
        PositronEmissionTomographyImageStorage,
        EnhancedPETImageStorage,
    }
)


class Form(StrEnum):
    """In what form an element stays."""

    NUMBER = "number"  # as a number, however it was written
    COUNT = "count"  # a whole number of at most five digits: a longer one could be that of a person
    POINTER = "pointer"  # a tag of the standard
    CODE = "code"  # those of its values that `CODES` lists
    UID = "uid"  # another one, the same for the same one everywhere; a standard's own stays
    DATE = "date"  # earlier by the patient's secret number of days
    MOMENT = "moment"  # its date as above, its time as below
    TIME = "time"  # since the first time that the study names
    WORDS = "words"  # those words of it that name sequences, planes and contrast
    CONTRAST = "contrast"  # that there was some
    ITEMS = "items"  # a sequence, each item by these same rules


KEPT: dict[str, Form] = {
    **dict.fromkeys(
        (
            *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
            *("FrameOfReferenceUID", "ConcatenationUID", "DimensionOrganizationUID"),
            *("SOPInstanceUIDOfConcatenationSource", "ReferencedSOPClassUID"),
            *("ReferencedSOPInstanceUID", "SynchronizationFrameOfReferenceUID"),
        ),
        Form.UID,
    ),
    **dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"), Form.DATE),
    **dict.fromkeys(("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"), Form.TIME),
    **dict.fromkeys(
        ("AcquisitionDateTime", "FrameAcquisitionDateTime", "FrameReferenceDateTime"), Form.MOMENT
    ),
    **dict.fromkeys(("SeriesDescription", "ProtocolName"), Form.WORDS),
    "ContrastBolusAgent": Form.CONTRAST,
    **dict.fromkeys(
        (
            *("SeriesNumber", "AcquisitionNumber", "InstanceNumber", "EchoNumbers"),
            *("TemporalPositionIdentifier", "TemporalPositionIndex", "NumberOfTemporalPositions"),
            *("InStackPositionNumber", "DimensionIndexValues", "ImagesInAcquisition"),
            *("NumberOfSeriesRelatedInstances", "NumberOfFrames", "InConcatenationNumber"),
            *("InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber"),
            *("FrameAcquisitionNumber", "ReferencedFrameNumber", "EchoTrainLength"),
            *("SamplesPerPixel", "Rows", "Columns", "AcquisitionMatrix"),
            *("NumberOfPhaseEncodingSteps",),
        ),
        Form.COUNT,
    ),
    **dict.fromkeys(
        (
            *("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"),
            *("SpacingBetweenSlices", "SliceLocation", "PixelAspectRatio", "RescaleSlope"),
            *("RescaleIntercept", "WindowCenter", "WindowWidth", "PixelPaddingValue"),
            *("PixelPaddingRangeLimit", "LossyImageCompressionRatio", "RepetitionTime"),
            *("EchoTime", "EffectiveEchoTime", "InversionTime", "InversionTimes", "FlipAngle"),
            *("NumberOfAverages", "MagneticFieldStrength", "PercentSampling"),
            *("PercentPhaseFieldOfView", "PixelBandwidth", "TriggerTime", "DiffusionBValue"),
            *("DiffusionGradientOrientation", "KVP", "GantryDetectorTilt"),
        ),
        Form.NUMBER,
    ),
    **dict.fromkeys(("DimensionIndexPointer", "FunctionalGroupPointer"), Form.POINTER),
    **dict.fromkeys(
        (
            *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
            *("UnassignedSharedConvertedAttributesSequence",),
            *("UnassignedPerFrameConvertedAttributesSequence",),
            *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
            *("PixelValueTransformationSequence", "FrameContentSequence", "MREchoSequence"),
            *("FrameVOILUTSequence", "MRTimingAndRelatedParametersSequence"),
            *("MRModifierSequence", "MRDiffusionSequence", "MRImageFrameTypeSequence"),
            "DiffusionGradientDirectionSequence",
            *("MRAveragesSequence", "DimensionOrganizationSequence", "DimensionIndexSequence"),
            *("ReferencedImageSequence", "SourceImageSequence", "CTImageFrameTypeSequence"),
        ),
        Form.ITEMS,
    ),
}

_YES_NO = ("YES", "NO")
CODES: dict[str, tuple[str, ...]] = {
    "Modality": ("MR", "CT", "PT"),
    "ImageType": (
        *("ORIGINAL", "DERIVED", "MIXED", "PRIMARY", "SECONDARY", "AXIAL", "LOCALIZER", "OTHER"),
        *("M", "P", "R", "I", "MAGNITUDE", "PHASE", "REAL", "IMAGINARY", "ND", "NORM", "DIS2D"),
        *(
            "DIS3D",
            "FM",
            "FM1",
            "FM2",
            "FIL",
            "SE",
            "IR",
            "FFE",
            "M_SE",
            "M_FFE",
            "M_IR",
            "M_DRIVE",
        ),
        *("P_SE", "P_FFE", "R_FFE", "I_FFE", "R_IR", "CSA", "MPR", "MPR1", "MIP", "REFORMATTED"),
        *("PROJECTION IMAGE", "ADC", "TRACEW", "FA", "B0", "DIFFUSION", "PERFUSION", "ADD", "SUB"),
        *("COMPRESSED", "NONE", "VOLUME", "T1", "T2", "T2_STAR", "PROTON_DENSITY", "STIR", "FMRI"),
        *("FLUID_ATTENUATED", "ANGIO", "ANGIO_TIME", "TAGGING", "MINIMUM", "MAXIMUM", "MEAN"),
    ),
    "ScanningSequence": ("SE", "IR", "GR", "EP", "RM"),
    "SequenceVariant": ("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"),
    "ScanOptions": ("PER", "RG", "CG", "PPG", "FC", "PFF", "PFP", "SP", "FS", "CT"),
    "MRAcquisitionType": ("1D", "2D", "3D"),
    "EchoPulseSequence": ("SPIN", "GRADIENT", "BOTH"),
    "InversionRecovery": _YES_NO,
    "EchoPlanarPulseSequence": _YES_NO,
    "BodyPartExamined": ("HEAD", "BRAIN", "SKULL", "HEADNECK", "NECK", "SPINE", "CSPINE"),
    "PatientPosition": ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"),
    "InPlanePhaseEncodingDirection": ("ROW", "COL", "COLUMN", "OTHER"),
    "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2"),
    "RescaleType": ("US", "HU", "OD", "normalized"),
    "LossyImageCompression": ("00", "01"),
    "VolumetricProperties": ("VOLUME", "SAMPLED", "DISTORTED", "MIXED"),
    "Manufacturer": (
        *("SIEMENS", "Siemens", "Siemens Healthineers", "Siemens HealthCare GmbH", "Philips"),
        *("Philips Healthcare", "Philips Medical Systems", "GE MEDICAL SYSTEMS", "TOSHIBA"),
        *("TOSHIBA_MEC", "CANON_MEC", "Hitachi Medical Corporation", "Hitachi", "HITACHI"),
        *("FUJIFILM", "UIH", "Hyperfine", "Bruker BioSpin MRI GmbH"),
    ),
}
CODES["FrameType"] = CODES["ImageType"]
KEPT |= dict.fromkeys(CODES, Form.CODE)

PLAIN_WORDS = (  # of descriptions, beside those by which a FLAIR is told
    *("ax", "axial", "tra", "trans", "transverse", "sag", "sagittal", "cor", "coronal", "obl"),
    *("2d", "3d", "tse", "fse", "se", "ge", "gre", "space", "cube", "vista", "blade", "propeller"),
    *(
        "fs",
        "fatsat",
        "spair",
        "spc",
        "ir",
        "tir",
        "head",
        "brain",
        "mpr",
        "iso",
        "t2",
        "t1",
        "dark",
    ),
    *("fluid", "long", "te", "pre", "post", "native", "adc", "dwi", "swi", "flair"),
)
WORD = re.compile(r"[^\W_]+")


class Vocabulary:
    """Words that a description may keep."""

    def __init__(self, rules: FlairRules) -> None:
        names = (rules.flair_names, rules.other_names, rules.never_names, rules.contrast_names)
        told = [word for group in names for name in group for word in name.split()]
        self._begins = tuple(word[:-1] for word in told if word.endswith("*"))
        self._whole = {word for word in told if not word.endswith("*")} | set(PLAIN_WORDS)
        self._foreign = [word for word in told if not word.isascii()]

    def words_of(self, text: str) -> str:
        """The known words of a text, in its order; of a word that begins as a known one, that."""
        words = WORD.findall(text.casefold())
        return " ".join(known for word in words for known in self._known(word))[:64]

    def _known(self, word: str) -> Iterable[str]:
        if word in self._whole:
            return [word]
        if begin := max((b for b in self._begins if word.startswith(b)), key=len, default=""):
            return [begin]
        return [foreign for foreign in self._foreign if foreign in word]
