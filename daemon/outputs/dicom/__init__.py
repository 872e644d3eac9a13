"""What goes to the PACS: SEG, SR, captures, the page, and notes after reviews.

In come the report and the series that was analyzed; out go DICOM files. RAS becomes LPS here.
"""
