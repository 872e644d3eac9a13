"""The fault suite: real processes, real signals, real files, and an account of every byte dropped."""
