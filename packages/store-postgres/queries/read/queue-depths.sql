-- The number of jobs of each queue in each state, zeros included.
select service, type, state, count
from job_counts
order by service, type, state
