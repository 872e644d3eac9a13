"""Pages of patients: the list, one patient, its record, photo, deletion, unassigned scans."""
