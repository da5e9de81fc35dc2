"""``python -m numbainit`` → the command line."""

from numbainit.command.starting import run

if __name__ == "__main__":
    run()
