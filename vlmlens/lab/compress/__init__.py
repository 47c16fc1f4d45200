"""Compressors of the lab: 36 image tokens to fewer, one file each."""
