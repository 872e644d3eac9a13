"""What a report says as FHIR R4: a DiagnosticReport with its Observations, in one transaction.

`coding` is how codes, sizes and names are written; `source` what the result's own DICOM objects
tell of patient and study; `standing` what a review made of it; `observations` a resource for each
thing that was measured; `message` all of it for a server. ImagingSelection is of R5: images are
named by a contained ImagingStudy instead.
"""
