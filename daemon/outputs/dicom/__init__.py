"""What goes back to the PACS: SEG, SR and secondary captures, with references to their source.

In come the report and the series that was analyzed; out go DICOM files. RAS becomes LPS here.
"""
