"""Statistics, pure: is the canary worse than stable? PASS, REGRESS, UNSURE or NO_DATA, and why."""
