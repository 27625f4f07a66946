"""What callers and telephones notice when a part of Ringcard, of what it needs or of what is around it fails.

`./run faults` breaks one thing after another in the middle of a flow of calls, and makes the table in docs/faults.md.
"""
