"""Labels of identifiers, to be printed. `symbol` makes the modules, `label` says what they hold, the rest draws."""
