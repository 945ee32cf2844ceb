"""``python -m gateway`` is ``pilegate``."""

from gateway.cli import main

main()
