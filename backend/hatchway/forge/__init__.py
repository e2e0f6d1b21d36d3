"""Where the code is: what changed between two commits, and a checkout to work in."""
