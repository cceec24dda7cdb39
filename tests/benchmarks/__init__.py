"""lepton-tasks beside its peers and beside the bare model: ``make bench``."""
