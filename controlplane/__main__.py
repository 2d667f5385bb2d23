"""`python -m controlplane` is `controlplane`."""

from controlplane.cli.app import main

if __name__ == "__main__":
    main()
