"""Words on a command line → what is done, and a table that says so."""
