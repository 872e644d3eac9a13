"""A DICOM study: files as frames, frames as stacks, the FLAIR among them, geometry and pixels.

In come paths; out goes a `Volume` (study), or the patient's tags (patient_tags). LPS is converted
to RAS here.
"""
