AIMED = {}
