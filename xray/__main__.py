"""`python -m xray <command> ...`."""

from xray.cli.main import main

if __name__ == "__main__":
    main()
