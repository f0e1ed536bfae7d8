"""The pages of the dashboard, a module for each place: its views, and what its forms do.

Each module has a ``router`` made by `controller.noc.live.pages`. SQL is in the reading queries of
``controller/noc/*views*.py`` and in ``controller/store``; what is shown is decided in pure boards.
"""
