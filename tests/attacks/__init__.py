"""What an attacker tries, against the real application on a real database.

- ``business.py``  a business with one of everything, its owner, somebody of one branch
- ``doors.py``     every route and every form of the dashboard, each with what makes it succeed
- ``hostile.py``   texts, numbers and moments that nobody means well with
- ``tables.py``    what the database holds, to see that nothing changed

A new route or form wants a row in ``doors.py``: without one `test_audit` fails.
"""
