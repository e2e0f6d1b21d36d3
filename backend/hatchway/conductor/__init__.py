"""Drives runs: reads the state, starts stages, asks brains, emits effects, recovers after a crash.

Sees ports, never adapters.
"""
