"""The wire to the terminal: one owner of everything that is written to it.

Textual re-sends every dirty region whole, through a queue on which its event loop blocks. Here
only the cells that changed go out (`cells`), at most one frame is on its way and its arrival is
confirmed by the terminal (`flow`), the confirmation never looks like a key (`answers`), and
nothing that is written can block (`out`, `driver`). `wire` binds them.

These touch private parts of Textual; therefore Textual is pinned exactly, the tests replay the
thin stream and the full render to the same screen, and `--wire plain` switches all of it off.
"""

from hatchway_tui.wire.wire import Wire

__all__ = ["Wire"]
