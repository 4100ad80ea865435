-- The server's clock: the cheapest query that proves that it answers.
select now() as now
