"""Where looks come from: one port, adapters beside it.

metrics = open.opened(service)                                  # scrape, prometheus or command
scrape = await metrics.look(now)                                # port.py
window, look = window.look(service, window, scrape, weight)     # window.py: for the judge
window, look = window.before(service, window, scrape)           # the same before a rollout
levels, shown = levels.levels(service, levels, scrape)          # levels.py: for people
"""
