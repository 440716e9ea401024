"""Git: trees of commits. Only this package and the command line start processes."""
