-- How many jobs every queue has in each state, none included.
select service, type, state, count
from job_counts
order by service, type, state
