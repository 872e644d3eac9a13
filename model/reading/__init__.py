"""Every way into a `Volume`: NIfTI, DICOM, pictures, zip files, masks that people drew.

Units, axes and dtypes are converted here and nowhere else: what leaves is float32 on the file's own
grid with an affine to RAS mm. What cannot be read raises UnreadableScan with one sentence.
"""
