"""Customers who are kept elsewhere: asked for again and again (`runs`), or told to us (`push`).

The way of a row is that of an import (`records.intake`) as far as the stage; then its source's customers are made as
the rows say, and nothing at all is done when not every row could be had:

    reading(...)    a source -> Row by Row                             sql_rows, vcard_folder, ldap_rows
    understand, Stage, Application                                     records.intake
    owned           what of a customer is the source's to change
    runs            one run from its beginning to its end, and what is kept of it
"""
