"""Documents as people hold them: invoices, credit notes, receipts, statements, voucher sheets.

PURE files say what stands on a paper, from what was kept when it was issued; the others draw it.

* ``paper.py``      (PURE) what stands on a paper: the one description that is drawn twice
* ``issued.py``     (PURE) an issued document as a paper
* ``statement.py``  (PURE) what moved on an account in a span of days, as a paper and as rows
* ``qr.py``         a QR code as dark runs, for a printer, and as SVG, for a page
* ``pdf.py``        a paper as PDF, A4: the same bytes for the same paper
* ``page.py``       a paper as one HTML page that loads nothing
* ``sheet.py``      slips of vouchers as PDF, to be cut
* ``look.py``       the operator's logo, made small once

``fonts``, made by the build step ``controller/vendor.py``, holds the Latin part of DejaVu Sans, for
names that the printer's own fonts cannot write (Wanjikũ, Kĩmani).
"""
