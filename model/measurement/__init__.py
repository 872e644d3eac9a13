"""What is measured on a mask, a kind of measurement a module.

In come a mask (uint8 0/1), its affine to RAS mm and the scan; out go frozen values in mm and ml:
lesions and their diameters, place, lobes, midplane and midline shift, and the change between two
scans. Nothing here knows the network.
"""
