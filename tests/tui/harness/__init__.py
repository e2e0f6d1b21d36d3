"""What the dashboard is measured with: terminals, feeds, a slow road, costs, a keyboard in virtual
time. Tests and benchmarks use the same. `tests/tui/conftest.py` makes it importable."""
