"""`python -m proxy` is the console script `proxy-composer`."""

from proxy.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
