"""The networks: their layers in torch and as OpenVINO graphs, their weights files, Grad-CAM.

In come prepared slices, float32; out go probabilities, float32 in [0, 1]. torch is loaded by
`unet` and `gradcam` alone; running needs OpenVINO only.
"""
