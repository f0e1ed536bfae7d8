"""What an attacker tries, against the real application on a real database.

- ``business.py``  a business with one of everything, its owner, somebody of one branch
- ``doors.py``     every route and every form of the dashboard, each with what makes it succeed
- ``hostile.py``   texts, numbers and moments that nobody means well with
- ``providers.py`` providers' doors, and what a provider means well with at each
- ``tables.py``    what the database holds, to see that nothing changed

Bad values take turns among the fields of one kind; ``ATTACK_ALL=1`` sends each in every field.

A new route or form wants a row in ``doors.py``: without one `test_audit` fails.
"""
