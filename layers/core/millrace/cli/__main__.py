"""`python -m millrace.cli`, the same as the command `millrace`."""

import sys

from millrace.cli.main import main

sys.exit(main())
