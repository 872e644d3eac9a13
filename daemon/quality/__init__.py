"""How scans fared, month by month and scanner by scanner, and what is usual."""
