-- The store's clock: the cheapest question that proves that it answers.
select now() as now
