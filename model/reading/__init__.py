"""Every way into a Volume: units, axes and dtypes are converted here and nowhere else."""
