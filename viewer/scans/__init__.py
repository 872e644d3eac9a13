"""The page of one scan: findings, canvas, files, review, corrections, comparison."""
