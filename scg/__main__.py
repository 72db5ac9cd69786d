"""``python -m scg`` is the ``scg`` command."""

from scg.command.main import main

if __name__ == "__main__":
    main()
