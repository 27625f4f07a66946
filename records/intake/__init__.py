"""Data from outside: files that a company already has become customers."""
