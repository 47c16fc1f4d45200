"""`python -m vlmlens` is the command line."""

from vlmlens.cli import main

raise SystemExit(main())
