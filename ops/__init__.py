"""The command line `mana-credits`: jobs, users, books, packages, refunds, and checks of a deployment."""
