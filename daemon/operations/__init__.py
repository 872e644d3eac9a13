"""What keeps a site running: queue control, verify, rebuild, backup, retention, status, export.

In come settings and both databases; out go values for pages, the API and the command line.
"""
