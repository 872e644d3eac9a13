"""What keeps a site running: queue control, verify, backup, retention, status, checks.

In come settings and both databases; out go values for pages, the API and the command line. What
the machine gives (disks and their reserve, memory, ports) is told by `status` and `machine`.
"""
