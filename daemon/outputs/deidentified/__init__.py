"""What leaves the hospital without a name: which DICOM elements stay, and files made anew of them.

In come dropped files and a `Hidden` naming; out go files that hold what is on the list and no more.
"""
