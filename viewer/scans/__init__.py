"""The page of one scan: findings, canvas, files, review, corrections, comparison.

The canvas draws in the browser (`viewer/static/canvas/volume.js`), or shows `slices` of the
server; the grey-value windows of both are those of `daemon/pipeline/window_presets`."""
