"""The plain mode: sentences and typed words instead of a screen, for screen readers and any terminal."""
