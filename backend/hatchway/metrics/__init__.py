"""Where looks come from: one port, adapters beside it.

scrape = await metrics.look(now)                                # port.py, scrape.py
window, look = window.look(service, window, scrape, weight)     # window.py: for the judge
levels, shown = levels.levels(service, levels, scrape)          # levels.py: for people
"""
