"""Libraries that are installed → how fast each fills here, in a table, JSON or a figure."""
