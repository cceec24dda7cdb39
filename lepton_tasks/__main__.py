"""``python -m lepton_tasks`` is the ``lepton`` command."""

from lepton_tasks.cli.main import main

if __name__ == "__main__":
    main()
