"""Data from outside: what a company already has elsewhere becomes customers.

The way of a row, from any source:

    open_table(path)      a file -> Row by Row, whatever kind it is                     csv_table, xlsx_table, vcards
    understand(row)       Row -> Wanted: numbers read, amounts and managers known; or what is wrong with it       rules
    Stage                 a file of our own where rows wait; the records are not locked meanwhile                 stage
    plan(wanted, known)   to add, to change, nothing to do, or whose it could be cannot be said                   rules
    Application           writes that in short transactions, and keeps what `undo` needs                          apply

Another source than a file is a `rows.Table` of its own: it gives `Row`s, and `imports.import_table` or `rehearse_table`
does the rest, in the same way: staged, listed, gone on with, undone.
"""
