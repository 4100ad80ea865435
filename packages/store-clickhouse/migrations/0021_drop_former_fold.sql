-- Makes room for the fold of the next migration. Only who holds the lease of the history migrates, so that no block comes in
-- between the two.
DROP VIEW IF EXISTS fold_runs
