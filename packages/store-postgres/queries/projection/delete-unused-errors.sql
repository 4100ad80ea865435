-- Deletes those of the error texts that no job has any more.
-- $1 texts
-- Returns no row.
delete from job_errors
where id = any (array(select md5(error)::uuid from unnest($1::text[]) as r (error)))
  and count <= 0
