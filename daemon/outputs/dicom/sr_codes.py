"""The coded words of our SRs: those of the standard, and ours for what it has no code for."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

NEOPLASM = codes.SCT.Neoplasm  # 108369006
ABNORMAL = codes.SCT.MorphologicallyAbnormalStructure  # 49755003
BRAIN = codes.SCT.Brain  # 12738006
NO_ABNORMALITY = codes.DCM.NoAbnormality  # 111286
VOLUME = codes.SCT.Volume  # 118565006
LONG_AXIS = Code("103339001", "SCT", "Long Axis")  # viewers know both by these words
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
LOBES = {
    "frontal": codes.SCT.FrontalLobe,  # 83251001
    "parietal": codes.SCT.ParietalLobe,  # 16630005
    "temporal": codes.SCT.TemporalLobe,  # 78277001
    "occipital": codes.SCT.OccipitalLobe,  # 31065004
}
SIDES = {"left": codes.SCT.Left, "right": codes.SCT.Right}
ML, MM, DAYS = codes.UCUM.CubicCentimeter, codes.UCUM.Millimeter, codes.UCUM.Day
PERCENT, RATIO = codes.UCUM.Percent, codes.UCUM.NoUnits

LENGTH, ANGLE, AREA = codes.SCT.Length, codes.SCT.Angle, codes.SCT.Area
SIGNAL = codes.DCM.MRSignalIntensity  # 110852
MEAN, SD = codes.SCT.Mean, codes.SCT.StandardDeviation
MM2, DEGREE = codes.UCUM.SquareMillimeter, codes.UCUM.Degree

ANALYSES = codes.DCM.SummaryOfAnalyses  # 111065
SUCCEEDED: Code = codes.DCM.Succeeded  # 111222
IN_PART: Code = codes.DCM.PartiallySucceeded  # 111223
NOT_ATTEMPTED: Code = codes.DCM.NotAttempted  # 111225
DETECTIONS = codes.DCM.SummaryOfDetections  # 111064
WITH_FINDINGS = codes.DCM.AllAlgorithmsSucceededWithFindings  # 111242
WITHOUT_FINDINGS = codes.DCM.AllAlgorithmsSucceededWithoutFindings  # 111241
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")  # TID 1500, a container
COMMENT = codes.DCM.Comment  # 121106
IMPRESSION = codes.DCM.Impression  # 121073

SCHEME, SCHEME_NAME = "99GLIOWATCH", "gliowatch"  # private, as 99 says (PS3.16 8.2)


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


CONFIDENCE = _own("CONFIDENCE", "Expected Dice of the segmentation")
LOWEST = _own("VOLUME_LOW", "Volume, lower limit of the expected range")
HIGHEST = _own("VOLUME_HIGH", "Volume, upper limit of the expected range")
SHIFT = _own("MIDLINE_SHIFT", "Midline shift")
SHARE = _own("LOBE_SHARE", "Share of the lesion in a lobe")
ACROSS = _own("ACROSS_MIDLINE", "Reach across the midline")
LONGEST_3D = _own("DIAMETER_3D", "Longest diameter in any direction")
PRODUCT = _own("PRODUCT", "Product of the diameters")
CHANGE_ML = _own("CHANGE_VOLUME", "Volume change against the prior scan")
CHANGE_PERCENT = _own("CHANGE_VOLUME_PERCENT", "Volume change against the prior scan, percent")
CHANGE_MM = _own("CHANGE_DIAMETER", "Longest diameter change against the prior scan")
REPEAT_LOW = _own("REPEAT_LOW", "Volume of the prior scan if measured again, lower limit")
REPEAT_HIGH = _own("REPEAT_HIGH", "Volume of the prior scan if measured again, upper limit")
INTERVAL = _own("INTERVAL", "Time since the prior scan")
CHANGE = _own("CHANGE", "Change against the prior scan")
LOCATION = _own("LOCATION", "Location")
QUALITY = _own("QUALITY", "Quality note")
REASON = _own("REASON", "Reason why it was not analyzed")
USE = _own("USE", "Intended use")
