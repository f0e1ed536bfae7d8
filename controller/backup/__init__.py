"""Backups: one encrypted file that a new machine can become this controller from.

A backup is ``age(zstandard(tar))``: a manifest first, then the database, the keys and the authority
of the state directory, the heads of the audit log, and the settings. It is encrypted to the
operator's recovery key, whose secret half was printed once and is on no machine of ours, and to a
key of this machine, with which each week a restore is tried for real.

Files:

- ``manifest.py``   PURE: what is in a backup, with hashes, versions and counts
- ``calendar.py``   PURE: when one is due, what files are called, which are kept
- ``keys.py``       the recovery key and this machine's own
- ``archive.py``    the members as one encrypted file, and back
- ``create.py``     a backup from beginning to end
- ``restore.py``    the plan of a restore, and doing it
- ``trial.py``      a restore into a scratch database that is thrown away

`controller.store.dumps` makes a file of a database and a database of a file,
`controller.usecases.backups` has the jobs; decision 0022 says why it is so.
"""
