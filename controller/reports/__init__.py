"""Reports: what was earned, what is owed, which taxes are due, who sold which vouchers.

The database sums up (``controller/store/reports.py``), pure files lay the sums out, and each
report says on which basis it is. On accrual, income is what was invoiced or sold; on cash, what of
that was paid. Hotspot and voucher sales are paid when they are made: they are the same on both.

* ``table.py``    (PURE) a report: typed columns, rows and sums
* ``earned.py``   (PURE) revenue, and the tax return
* ``owed.py``     (PURE) who owes what, and for how long
* ``sellers.py``  (PURE) vouchers by who sold them
* ``written.py``  a report as CSV and XLSX
"""
