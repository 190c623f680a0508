"""`filament doctor`: what is good, doubtful and bad of a node and its machine, each with its remedy.

Reading order: finding, texts, then book, machine and answers, which look; examination puts them in order.
"""
