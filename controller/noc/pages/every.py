"""All pages of the dashboard, in the order in which their routes are tried."""

from controller.noc.pages import (
    chart,
    customers,
    keys,
    me,
    overview,
    search,
    sessions,
    site,
    site_list,
    system,
)

PAGES = (
    overview,
    site_list,
    site,
    chart,
    system,
    sessions,
    customers,
    search,
    me,
    keys,
)
