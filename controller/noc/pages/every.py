"""All pages of the dashboard, in the order in which their routes are tried."""

from controller.noc.pages import (
    chart,
    customers,
    exceptions,
    keys,
    me,
    overview,
    payments,
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
    payments,
    exceptions,
    search,
    me,
    keys,
)
