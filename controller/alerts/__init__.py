"""What is worth telling somebody about, and when: alerts.

``rules`` (PURE) is the default set: each rule judges plain facts by thresholds, and says how long a
trouble must last before it is an alert, and how long it must be gone before that is over.
``states`` (PURE) is the life of one alert: pending, raised, acknowledged, recovered; silenced by
staff, or held back because the site's upstream is silent itself, or is being worked on.
``telling`` (PURE) decides who is told what now: at most one message of an alert every half hour to
each, and one when it is over. ``windows`` (PURE) is time given to maintenance, and how much of an
outage lies outside of it. ``texts`` are the sentences, in English and Swahili.

Facts are gathered by ``store/alert_facts.py``; alerts are kept by ``store/alerts.py``, and the use
case ``usecases/alerts.py`` looks again every few seconds. Nothing is remembered between two looks:
a controller that was away catches up, and two that look at once raise each alert once.
"""
