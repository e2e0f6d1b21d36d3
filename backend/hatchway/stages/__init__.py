"""What each kind of stage does: one file a kind."""
