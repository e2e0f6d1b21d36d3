"""The rules of the house, pure: no I/O, no asyncio, no clock, no randomness.

Imports the standard library and msgspec only.
"""
