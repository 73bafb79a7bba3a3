"""Policies on disk: their manifests, checkpoints and scratch folders, and which weights can go."""
