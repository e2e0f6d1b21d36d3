"""`python -m hatchway` is `hatchway`."""

import sys

from hatchway.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
