"""`python -m zermelo`."""

from zermelo.cli.app import main

main()
