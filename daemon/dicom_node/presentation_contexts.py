"""What the node takes: every storage class, in every transfer syntax that our readers open.

The network library is loaded by what offers them; the syntaxes alone are asked for without it.
"""

from typing import TYPE_CHECKING

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity

from daemon.dicom_node.commitment_reports import PUSH_MODEL

# Of several that a sender offers in one context, the first of these is taken: pixels as they are
# first, then those packed without loss. JPEG Extended is left out: our readers refuse it, and a
# sender that has it may send the pixels unpacked instead.
SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGLSNearLossless,
    JPEG2000,
    HTJ2K,
)
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def storage_classes() -> tuple[UID, ...]:
    """All that may be stored: pictures, and what hospitals send along (SR, SEG, PR, KO, PDF)."""
    from pynetdicom.presentation import AllStoragePresentationContexts

    named = (context.abstract_syntax for context in AllStoragePresentationContexts)
    return tuple(sorted(uid for uid in named if uid is not None))


def offer(entity: "ApplicationEntity", with_reports: bool = False) -> None:
    """Let an application entity take all of them, and C-ECHO.

    with_reports: also what archives report of objects that they were asked to keep.
    """
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    entity.add_supported_context(Verification, list(PLAIN))
    for uid in storage_classes():
        entity.add_supported_context(uid, list(SYNTAXES))
    if with_reports:  # who reports is the SCP, also where it asks for the association
        entity.add_supported_context(PUSH_MODEL, list(PLAIN), scu_role=True, scp_role=True)
