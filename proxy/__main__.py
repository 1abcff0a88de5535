"""`python -m proxy` is the console script `proxy-composer`."""

from proxy.cli.main import console

if __name__ == "__main__":
    console()
