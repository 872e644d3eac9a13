"""The classes of what we send, and what their objects are; it loads no library."""

CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "seg",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.88.22": "sr",  # Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33": "sr",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.7": "sc",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.4": "sc",  # Multi-frame True Color Secondary Capture
    "1.2.840.10008.5.1.4.1.1.104.1": "pdf",  # Encapsulated PDF
    "1.2.840.10008.5.1.4.1.1.88.59": "ko",  # Key Object Selection
}


def kind_of_class(uid: str) -> str | None:
    """seg, sr, sc, pdf or ko; None for any other class."""
    return CLASSES.get(uid)
