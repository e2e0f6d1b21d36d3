"""Painters: pure functions from what is known to lines of text. No Textual, no I/O."""
