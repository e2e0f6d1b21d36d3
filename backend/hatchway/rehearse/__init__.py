"""Rehearsals: incidents played to the real backend in virtual time, over somebody's own policy."""
