"""What a painter looks at: the model, the hands, and the time."""

from __future__ import annotations

from msgspec import Struct

from hatchway.edge.protocol import MetricsDoc, RunDoc
from hatchway_tui.control import Control, Rights, control_of
from hatchway_tui.hands import Hands
from hatchway_tui.keys import Keymap
from hatchway_tui.mirror import Model, run_of


class View(Struct, frozen=True):
    """One moment. `now` is the server's clock, `at` the local one that `Hands` uses."""

    model: Model
    hands: Hands
    rights: Rights
    now: float
    at: float
    address: str = ""
    screen: float | None = None  # seconds from writing to the terminal's having shown it

    @property
    def keys(self) -> Keymap:
        """The keys as they are for this person; what is painted names a key only through it."""
        return self.hands.keys

    @property
    def run(self) -> RunDoc | None:
        """The run on the screen."""
        return run_of(self.model, self.hands.service)

    @property
    def control(self) -> Control:
        """Who is in control of the service on the screen."""
        return control_of(self.model, self.hands.service)

    @property
    def compared(self) -> bool:
        """Whether the run has come to comparing a canary with the stable version."""
        run, metrics = self.run, self.metrics
        if run is None or metrics is None or not metrics.metrics:
            return False
        canary = any(each.canary is not None for each in metrics.metrics)
        return run.step is not None or run.weight > 0 or canary

    @property
    def metrics(self) -> MetricsDoc | None:
        """The newest look at the run's metrics."""
        run = self.run
        return self.model.metrics.get(run.id) if run else None
