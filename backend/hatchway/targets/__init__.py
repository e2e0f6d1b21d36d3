"""What carries the traffic: one port; the governor is the only way behind it."""
