"""When and who: windows, freezes and rotations, worked out from calendars.yaml and .ics files."""
